import { CommandError } from './errors.ts';
import { compileFilter, type Filter } from './filter.ts';
import { reaches, valuesOf } from './paths.ts';
import { joined, keysOf } from './sort.ts';
import type { Doc } from './values.ts';

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

  constructor(spec: IndexSpec, table: string, number: number, multikey: readonly boolean[] = []) {
    this.spec = spec;
    this.table = table;
    this.number = number;
    this.fields = Object.keys(spec.key);
    this.directions = Object.values(spec.key);
    this.multikey = this.fields.map((_, i) => multikey[i] ?? false);
    this.partial = spec.partialFilterExpression ? compileFilter(spec.partialFilterExpression) : undefined;
    this.#paths = this.fields.map((path) => path.split('.'));
  }

  /** The keys of a document: none when the index is partial or sparse and leaves it out, several with arrays. */
  keysOf(doc: Doc): Set<string> {
    if (this.partial && !this.partial.test(doc)) return new Set();
    const present = (path: string[]) => reaches(doc, path, (value) => value !== undefined, false);
    if (this.spec.sparse && !this.#paths.some(present)) return new Set();
    const through = (place: number) => {
      this.multikey[place] = true;
    };
    return new Set(keysOf(doc, this.#paths, this.directions, through));
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
