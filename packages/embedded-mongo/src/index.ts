import { CommandError } from './errors.ts';
import { compileFilter, type Filter } from './filter.ts';
import { reaches, valuesOf } from './paths.ts';
import { joined, type KnownKeys, keysOf } from './sort.ts';
import { type Doc, isDoc } from './values.ts';

/** An index as a client describes it. */
export interface IndexSpec {
  readonly v: number;
  readonly key: Record<string, 1 | -1>;
  readonly name: string;
  readonly unique?: boolean;
  readonly sparse?: boolean;
  readonly partialFilterExpression?: Doc;
  readonly expireAfterSeconds?: number;
}

/** The index that every collection has. */
export const idIndex: IndexSpec = { v: 2, key: { _id: 1 }, name: '_id_', unique: true };

/** An index over some fields of a collection: which keys a document has in it. */
export class Index {
  readonly spec: IndexSpec;
  /** The table that holds the keys. */
  readonly table: string;
  readonly number: number;
  readonly fields: readonly string[];
  readonly directions: readonly number[];
  /** Which of the fields have ever led through an array: their documents can have several keys. */
  readonly multikey: boolean[];
  readonly partial: Filter | undefined;
  readonly #paths: readonly string[][];
  /** The top-level fields by which keys can change; undefined when the filter may ask for any. */
  readonly #roots: ReadonlySet<string> | undefined;
  #flags: number;

  constructor(spec: IndexSpec, table: string, number: number, multikey: readonly boolean[] = []) {
    this.spec = spec;
    this.table = table;
    this.number = number;
    this.fields = Object.keys(spec.key);
    this.directions = Object.values(spec.key);
    this.multikey = this.fields.map((_, i) => multikey[i] ?? false);
    this.#flags = this.multikey.filter(Boolean).length;
    this.partial = spec.partialFilterExpression ? compileFilter(spec.partialFilterExpression) : undefined;
    this.#paths = this.fields.map((path) => path.split('.'));
    const asked = pathsOf(spec.partialFilterExpression ?? {});
    this.#roots = asked && new Set([...this.fields, ...asked].map((path) => path.split('.')[0] as string));
  }

  readonly #through = (place: number): void => {
    if (this.multikey[place]) return;
    this.multikey[place] = true;
    this.#flags += 1;
  };

  /** Whether the keys of a document may change with these of its top-level fields. */
  dependsOn(changed: ReadonlySet<string>): boolean {
    return this.#roots === undefined || !this.#roots.isDisjointFrom(changed);
  }

  /** How many of the flags of {@link multikey} are set. */
  get flags(): number {
    return this.#flags;
  }

  /** The keys of a document: none when the index is partial or sparse and leaves it out, several with arrays. */
  keysOf(doc: Doc, known?: KnownKeys): Set<string> {
    if (this.partial && !this.partial.test(doc)) return new Set();
    const present = (path: string[]) => reaches(doc, path, (value) => value !== undefined, false);
    if (this.spec.sparse && !this.#paths.some(present)) return new Set();
    return new Set(keysOf(doc, this.#paths, this.directions, this.#through, known));
  }

  /** The error that says that another document has this key. */
  duplicate(namespace: string, doc: Doc, key: string): CommandError {
    const values = valuesOf(doc, this.#paths).find((each) => joined(each, this.directions) === key) ?? [];
    const keyValue = Object.fromEntries(this.fields.map((path, i) => [path, values[i] ?? null]));
    const shown = this.fields.map((path) => `${path}: ${JSON.stringify(keyValue[path])}`).join(', ');
    const message = `E11000 duplicate key error collection: ${namespace} index: ${this.spec.name} dup key: { ${shown} }`;
    return new CommandError('DuplicateKey', message, { keyPattern: this.spec.key, keyValue });
  }
}

/** The paths that a filter asks for; undefined when it asks for more than paths. */
function pathsOf(filter: Doc): string[] | undefined {
  const found: string[] = [];
  for (const [key, value] of Object.entries(filter)) {
    if (!key.startsWith('$')) found.push(key);
    else if ((key === '$and' || key === '$or') && Array.isArray(value)) {
      for (const part of value) {
        const paths = isDoc(part) ? pathsOf(part) : undefined;
        if (!paths) return undefined;
        found.push(...paths);
      }
    } else return undefined;
  }
  return found;
}
