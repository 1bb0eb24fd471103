import { CommandError, notImplemented } from './errors.ts';
import { compileExpression } from './expressions.ts';
import type { Path } from './paths.ts';
import { type Doc, isDoc, isOperators, numberOf, setField, toPlain } from './values.ts';

type Compute = (doc: unknown) => unknown;
type Tree = Map<string, Tree | Compute | boolean>;

const bad = (message: string) => new CommandError('BadValue', message);

/**
 * Compiles the projection of a find (`inFind`) or of a `$project` stage.
 * @throws CommandError BadValue when inclusions and exclusions are mixed or the specification is malformed
 */
export function compileProjection(spec: Doc, variables: Doc, inFind: boolean): (doc: Doc) => Doc {
  const tree: Tree = new Map();
  let including: boolean | undefined;

  const put = (path: string, leaf: Compute | boolean): void => {
    const parts = path.split('.');
    const last = parts.pop() ?? '';
    let at = tree;
    for (const part of parts) {
      const next = at.get(part) ?? new Map();
      if (!(next instanceof Map)) throw bad(`Path collision at ${path}`);
      at.set(part, next);
      at = next;
    }
    if (path.split('.').some((part) => part === '' || part.startsWith('$')))
      throw bad(`invalid projection path: ${path}`);
    if (at.has(last)) throw bad(`Path collision at ${path}`);
    at.set(last, leaf);
  };
  const decide = (path: string, includes: boolean): void => {
    if (path === '_id') return;
    if (including !== undefined && including !== includes) {
      throw bad(
        `Cannot do ${includes ? 'in' : 'ex'}clusion on field ${path} in ${including ? 'in' : 'ex'}clusion projection`,
      );
    }
    including = includes;
  };
  const add = (path: string, value: unknown): void => {
    const keep = keepOf(value);
    if (keep !== undefined) {
      if (path.endsWith('.$')) notImplemented('a positional projection');
      decide(path, keep);
      put(path, keep);
    } else if (isDoc(value) && !isOperators(value)) {
      if (Object.keys(value).length === 0) throw bad('An empty sub-projection is not valid');
      for (const [key, nested] of Object.entries(value)) add(`${path}.${key}`, nested);
    } else if (inFind && isDoc(value) && (value.$elemMatch !== undefined || takesNumbers(value.$slice))) {
      notImplemented('$slice or $elemMatch in a projection');
    } else {
      const compute = compileExpression(value, variables);
      decide(path, true);
      put(path, compute);
    }
  };
  for (const [path, value] of Object.entries(spec)) add(path, value);

  const includes = including ?? (spec._id !== undefined && tree.size === 1 && tree.get('_id') !== false);
  if (includes && !tree.has('_id')) tree.set('_id', true);
  const evaluates = computes(tree);
  return (doc) => {
    const plain = evaluates ? toPlain(doc) : doc;
    return apply(tree, doc, includes, (compute) => compute(plain)) as Doc;
  };
}

/**
 * Which top-level fields a projection that can be compiled keeps; undefined when it is about more than whole fields, so that
 * documents have to be read for it.
 */
export function keptFields(spec: Doc): ((name: string) => boolean) | undefined {
  const named = new Map(Object.entries(spec).map(([path, value]) => [path, keepOf(value)]));
  if ([...named].some(([path, keep]) => keep === undefined || path.includes('.'))) return undefined;
  const others = [...named].filter(([path]) => path !== '_id');
  const includes = others.length > 0 ? others[0]?.[1] === true : named.get('_id') === true;
  return (name) => named.get(name) ?? (!includes || name === '_id');
}

/** Whether a value of a projection keeps the field; undefined when it says something else. */
function keepOf(value: unknown): boolean | undefined {
  if (typeof value === 'boolean') return value;
  const number = numberOf(value);
  return Number.isNaN(number) ? undefined : number !== 0;
}

function apply(tree: Tree, value: unknown, including: boolean, run: (compute: Compute) => unknown): unknown {
  if (Array.isArray(value)) {
    const elements = including ? value.filter((element) => isDoc(element) || Array.isArray(element)) : value;
    return elements.map((element) => apply(tree, element, including, run));
  }
  if (!isDoc(value)) return including ? undefined : value;
  const out: Doc = {};
  for (const key of Object.keys(value)) {
    const child = tree.get(key);
    const nested = child instanceof Map ? apply(child, value[key], including, run) : undefined;
    if (nested !== undefined) setField(out, key, nested);
    else if (child === true || (!including && (child === undefined || typeof child === 'function')))
      setField(out, key, value[key]);
  }
  for (const [key, child] of tree) {
    if (typeof child === 'function') {
      const computed = run(child);
      if (computed === undefined) delete out[key];
      else setField(out, key, computed);
    } else if (computes(child) && !Object.hasOwn(out, key))
      setField(out, key, apply(child as Tree, {}, including, run));
  }
  return out;
}

function computes(node: Tree | Compute | boolean): boolean {
  return typeof node === 'function' || (node instanceof Map && [...node.values()].some(computes));
}

/** True for the `$slice` of a find, with numbers; that of an expression begins with what gives the array. */
function takesNumbers(operand: unknown): boolean {
  return !Number.isNaN(numberOf([operand].flat()[0]));
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
