import fc from 'fast-check';

/** A JSON Schema, as openapi.json holds it. */
export interface Schema {
  [keyword: string]: unknown;
}

/** Values by the name of their field, where made-up ones would never get far, or would do harm. */
export type Known = Readonly<Record<string, readonly unknown[]>>;

/** Fields that have no value but those that are known: anything else would be run. */
const neverElse = new Set(['command', 'force']);

/** Values for schemas of a document: mostly what they accept, sometimes anything that JSON can hold. */
export class Arbitraries {
  readonly #document: Schema;
  readonly #known: Known;

  constructor(document: Schema, known: Known) {
    this.#document = document;
    this.#known = known;
  }

  /** @param name of the field that the value is for */
  of(schema: Schema, name = ''): fc.Arbitrary<unknown> {
    const fitting = this.#known[name] ? fc.constantFrom(...this.#known[name]) : this.#fitting(this.#resolved(schema));
    if (this.#known[name] && neverElse.has(name)) return fitting;
    return fc.oneof({ weight: 9, arbitrary: fitting }, { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) });
  }

  #resolved(schema: Schema): Schema {
    if (typeof schema.$ref !== 'string') return schema;
    const steps = schema.$ref.slice(2).split('/');
    return steps.reduce<unknown>((node, step) => (node as Schema)[step], this.#document) as Schema;
  }

  #fitting(schema: Schema): fc.Arbitrary<unknown> {
    if (Array.isArray(schema.enum)) return fc.constantFrom(...schema.enum);
    switch (schema.type) {
      case 'string':
        return stringOf(schema);
      case 'integer':
        return fc.integer({ min: Number(schema.minimum ?? -1000), max: Number(schema.maximum ?? 1000) });
      case 'number':
        return fc.double({ min: Number(schema.minimum ?? -1e6), max: Number(schema.maximum ?? 1e6), noNaN: true });
      case 'boolean':
        return fc.boolean();
      case 'array':
        return fc.array(this.of(schema.items as Schema), { maxLength: 3 });
      case 'object':
        return this.#objectOf(schema);
      default:
        return fc.jsonValue({ maxDepth: 2 });
    }
  }

  #objectOf({ properties, required = [] }: Schema): fc.Arbitrary<unknown> {
    if (!properties) return fc.dictionary(fc.string({ maxLength: 10 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 });
    const fields = Object.entries(properties as Record<string, Schema>);
    const model = Object.fromEntries(fields.map(([name, inner]) => [name, this.of(inner, name)]));
    return fc.record(model, { requiredKeys: (required as string[]).filter((name) => name in model) });
  }
}

function stringOf({ format, pattern, minLength, maxLength }: Schema): fc.Arbitrary<string> {
  if (format === 'uuid') return fc.uuid();
  if (format === 'date-time')
    return fc.date({ noInvalidDate: true, min: new Date(0) }).map((date) => date.toISOString());
  if (format === 'email') return fc.emailAddress();
  if (format === 'uri') return fc.webUrl();
  if (typeof pattern === 'string' && pattern !== '\\S') return fc.stringMatching(new RegExp(pattern, 'u'));
  const bounds = { minLength: Number(minLength ?? 0), maxLength: Math.min(Number(maxLength ?? 40), 40) };
  return fc.string({ ...bounds, unit: 'grapheme' });
}
