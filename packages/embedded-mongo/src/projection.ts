import { CommandError } from './errors.ts';
import { checkExpression } from './expressions.ts';
import { compileFilter } from './filter.ts';
import type { Path } from './paths.ts';
import { type Doc, field, isDoc, numberOf, setField, toPlain } from './values.ts';

interface Node {
  keep?: boolean;
  compute?: (doc: Doc, plain: () => Doc) => unknown;
  children?: Map<string, Node>;
}

/** Evaluates an expression on a plain document. */
export type Evaluator = (doc: Doc, expression: unknown) => unknown;

/**
 * Compiles the projection of a find (`inFind`) or of a `$project` stage.
 * @param positionOf the position of the array element that the query matched, for `field.$`
 * @returns a function from a document (any form) and its plain form to the projected document
 * @throws CommandError BadValue when inclusions and exclusions are mixed or the specification is malformed
 */
export function compileProjection(
  spec: Doc,
  evaluate: Evaluator,
  inFind: boolean,
  positionOf?: (doc: Doc, path: string) => number,
): (doc: Doc, plain: () => Doc) => Doc {
  const root: Node = { children: new Map() };
  const mode = { including: undefined as boolean | undefined };
  const positional: string[] = [];
  let id = true;

  const put = (path: string, node: Node, decides: boolean): void => {
    if (decides && path !== '_id' && mode.including === undefined) mode.including = node.keep !== false;
    let at = root;
    for (const part of path.split('.')) {
      if (part === '' || part.startsWith('$')) throw new CommandError('BadValue', `invalid projection path: ${path}`);
      at.children ??= new Map();
      const next: Node = at.children.get(part) ?? {};
      if (next.keep !== undefined || next.compute) throw new CommandError('BadValue', `Path collision at ${path}`);
      at.children.set(part, next);
      at = next;
    }
    if (at.children) throw new CommandError('BadValue', `Path collision at ${path}`);
    Object.assign(at, node);
  };

  const add = (path: string, value: unknown): void => {
    const flag = typeof value === 'boolean' ? value : Number.isNaN(numberOf(value)) ? undefined : numberOf(value) !== 0;
    if (flag !== undefined) {
      if (path === '_id') {
        id = flag;
        if (flag && mode.including === undefined && Object.keys(spec).length === 1) mode.including = true;
      } else if (path.endsWith('.$') && inFind) {
        positional.push(path.slice(0, -2));
        put(path.slice(0, -2), { keep: true }, true);
      } else {
        if (mode.including !== undefined && mode.including !== flag) {
          const [a, b] = flag ? ['inclusion', 'exclusion'] : ['exclusion', 'inclusion'];
          throw new CommandError('BadValue', `Cannot do ${a} on field ${path} in ${b} projection`);
        }
        put(path, { keep: flag }, true);
      }
    } else if (isDoc(value) && !Object.keys(value)[0]?.startsWith('$')) {
      if (Object.keys(value).length === 0) throw new CommandError('BadValue', 'An empty sub-projection is not valid');
      for (const [key, nested] of Object.entries(value)) add(`${path}.${key}`, nested);
    } else if (inFind && isDoc(value) && Object.hasOwn(value, '$elemMatch')) {
      const filter = compileFilter({ v: { $elemMatch: toPlain(value.$elemMatch) } });
      put(path, { compute: (doc) => firstMatch(field(doc, path), (element) => filter.test({ v: [element] })) }, true);
    } else if (inFind && isDoc(value) && Object.hasOwn(value, '$slice') && !isExpressionSlice(value.$slice)) {
      put(path, { compute: (doc) => slice(field(doc, path), value.$slice) }, false);
      if (path.includes('.')) throw new CommandError('BadValue', '$slice on a dotted path is not supported here');
    } else {
      checkExpression(value);
      const expression = toPlain(value);
      put(path, { compute: (_doc, plain) => evaluate(plain(), expression) }, true);
      if (path === '_id') id = true;
    }
  };
  for (const [path, value] of Object.entries(spec)) add(path, value);

  const including = mode.including ?? (id && Object.hasOwn(spec, '_id') && !root.children?.size);
  if (!root.children?.has('_id')) root.children?.set('_id', { keep: id });
  if (!including && id) root.children?.delete('_id');
  return (doc, plain) => {
    const out = apply(root, doc, including, doc, plain) as Doc;
    for (const path of positional) keepPosition(out, path.split('.'), positionOf?.(plain(), path) ?? -1);
    return out;
  };
}

function isExpressionSlice(operand: unknown): boolean {
  return Array.isArray(operand) ? Number.isNaN(numberOf(operand[0])) : Number.isNaN(numberOf(operand));
}

function apply(node: Node, value: unknown, including: boolean, doc: Doc, plain: () => Doc): unknown {
  if (Array.isArray(value)) {
    return value
      .filter((element) => !including || isDoc(element) || Array.isArray(element))
      .map((element) => apply(node, element, including, doc, plain));
  }
  if (!isDoc(value)) return including ? undefined : value;
  const out: Doc = {};
  for (const key of Object.keys(value)) {
    const child = node.children?.get(key);
    if (!child) {
      if (!including) setField(out, key, value[key]);
    } else if (child.children) {
      const nested = apply(child, value[key], including, doc, plain);
      if (nested !== undefined) setField(out, key, nested);
    } else if (child.keep || (child.compute && !including)) setField(out, key, value[key]);
  }
  for (const [key, child] of node.children ?? []) {
    if (child.compute) {
      const computed = child.compute(doc, plain);
      if (computed === undefined) delete out[key];
      else setField(out, key, computed);
    } else if (child.children && hasComputed(child) && !Object.hasOwn(out, key)) {
      const nested = apply(child, {}, including, doc, plain);
      setField(out, key, nested);
    }
  }
  return out;
}

function hasComputed(node: Node): boolean {
  return node.compute !== undefined || [...(node.children?.values() ?? [])].some(hasComputed);
}

function firstMatch(value: unknown, test: (element: unknown) => boolean): unknown {
  if (!Array.isArray(value)) return undefined;
  const found = value.find((element) => test(toPlain(element)));
  return found === undefined ? undefined : [found];
}

function slice(value: unknown, operand: unknown): unknown {
  if (!Array.isArray(value)) return value;
  if (!Array.isArray(operand)) {
    const count = numberOf(operand);
    return count < 0 ? value.slice(count) : value.slice(0, count);
  }
  const [skip = 0, limit = 0] = operand.map(numberOf);
  const from = skip < 0 ? Math.max(0, value.length + skip) : skip;
  return value.slice(from, from + limit);
}

function keepPosition(doc: Doc, path: Path, position: number): void {
  if (position < 0) throw new CommandError('BadValue', "positional operator '.$' couldn't find a matching element");
  let at: unknown = doc;
  for (const part of path.slice(0, -1)) at = isDoc(at) ? field(at, part) : undefined;
  const last = path.at(-1) as string;
  if (isDoc(at) && Array.isArray(at[last])) at[last] = [(at[last] as unknown[])[position]];
}

/** A copy of the document with the value set at the path, in every element of arrays on the way; undefined removes. */
export function withField(doc: unknown, path: Path, value: unknown): unknown {
  const [part, ...rest] = path;
  if (part === undefined) return value;
  if (Array.isArray(doc)) return doc.map((element) => withField(element, path, value));
  const copy: Doc = isDoc(doc) ? { ...doc } : {};
  if (rest.length === 0 && value === undefined) delete copy[part];
  else setField(copy, part, withField(copy[part], rest, value));
  return copy;
}
