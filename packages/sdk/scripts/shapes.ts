import { componentOf, type Model, type Schema, withoutNull } from './document.ts';

/**
 * Where an object holds further objects whose fields are declared: a component's name, or the fields themselves.
 * What is not in a shape is free-form and passes as it is.
 */
export type Shape = string | { [field: string]: Shape };

/** The shape of a value, of a list's entries when it is a list; undefined for one that declares no fields. */
export function shapeOf(schema: Schema, model: Model): Shape | undefined {
  const value = withoutNull(schema);
  if (value.$ref) return componentOf(value.$ref);
  if (value.items) return shapeOf(value.items, model);
  if (value.allOf) return Object.assign({}, ...value.allOf.map((part) => resolved(shapeOf(part, model), model)));
  if (!value.properties) return undefined;
  const fields = Object.entries(value.properties).map(([name, inner]) => [name, shapeOf(inner, model)] as const);
  return Object.fromEntries(fields.filter((field): field is [string, Shape] => field[1] !== undefined));
}

/** Shapes of all components, by name. */
export function shapesOf(model: Model): Record<string, Shape> {
  const shapes = Object.entries(model.schemas).map(([name, schema]) => [name, shapeOf(schema, model) ?? {}]);
  return Object.fromEntries(shapes);
}

function resolved(shape: Shape | undefined, model: Model): Shape {
  if (typeof shape !== 'string') return shape ?? {};
  return resolved(shapeOf(model.schemas[shape] ?? {}, model), model);
}
