import btree from 'sorted-btree';
import { CommandError } from './errors.ts';
import { compileFilter, type Filter } from './filter.ts';
import { compare } from './order.ts';
import { indexKeys } from './paths.ts';
import { compareKeys } from './sort.ts';
import type { Stored } from './stored.ts';
import { type Doc, field, isDoc } from './values.ts';

// The package is CommonJS with a `default` export, which Node hands over as a property.
const BTree = btree.default;

/** An index as a client describes it. */
export interface IndexSpec {
  readonly v: number;
  readonly key: Record<string, 1 | -1>;
  readonly name: string;
  readonly unique?: boolean;
  readonly sparse?: boolean;
  readonly hidden?: boolean;
  readonly partialFilterExpression?: Doc;
  readonly expireAfterSeconds?: number;
}

interface Key {
  /** The values of the index's fields; a probe may have fewer. */
  readonly values: readonly unknown[];
  /** 0 for a stored key; a probe lies before (-1) or after (1) all keys that begin with its values. */
  readonly edge: -1 | 0 | 1;
  readonly record: number;
}

/** A contiguous part of an index, in the index's own order. Bounds hold values of the leading fields. */
export interface Range {
  readonly low: { readonly values: readonly unknown[]; readonly inclusive: boolean };
  readonly high: { readonly values: readonly unknown[]; readonly inclusive: boolean };
}

/** What a scan has cost so far. */
export interface ScanStats {
  keysExamined: number;
}

/** A sorted index over some fields of a collection. */
export class Index {
  readonly spec: IndexSpec;
  readonly fields: readonly string[];
  readonly directions: readonly number[];
  /** Which of the fields have ever led through an array: their documents can have several keys. */
  readonly multikey: boolean[];
  readonly partial: Filter | undefined;
  readonly #paths: readonly string[][];
  readonly #tree: InstanceType<typeof BTree<Key, Stored>>;

  constructor(spec: IndexSpec) {
    this.spec = spec;
    this.fields = Object.keys(spec.key);
    this.directions = Object.values(spec.key);
    this.multikey = this.fields.map(() => false);
    this.partial = spec.partialFilterExpression ? compileFilter(spec.partialFilterExpression) : undefined;
    this.#paths = this.fields.map((path) => path.split('.'));
    this.#tree = new BTree<Key, Stored>(undefined, (a, b) => this.#compare(a, b));
  }

  /** The number of keys. */
  get size(): number {
    return this.#tree.size;
  }

  /** Adds many documents at once, faster than one by one. @throws CommandError DuplicateKey */
  build(docs: Iterable<Stored>, namespace: string): void {
    const entries: [Key, Stored][] = [];
    for (const doc of docs)
      for (const values of this.#keysOf(doc)) entries.push([{ values, edge: 0, record: doc.id }, doc]);
    entries.sort(([a], [b]) => this.#compare(a, b));
    entries.forEach(([key], i) => {
      const previous = entries[i - 1]?.[0];
      if (this.spec.unique && previous && previous.record !== key.record && this.#sameValues(previous, key)) {
        throw this.#duplicate(namespace, key.values);
      }
    });
    for (const [key, doc] of entries) this.#tree.set(key, doc);
  }

  /** @throws CommandError DuplicateKey when the document, put in place of `previous`, would break uniqueness */
  check(doc: Stored, namespace: string): void {
    const keys = this.#keysOf(doc);
    if (!this.spec.unique) return;
    for (const values of keys) {
      const pair = this.#tree.getPairOrNextHigher({ values, edge: -1, record: 0 });
      for (let at = pair; at && this.#sameValues(at[0], { values }); at = this.#tree.nextHigherPair(at[0])) {
        if (at[0].record !== doc.id) throw this.#duplicate(namespace, values);
      }
    }
  }

  /** Adds a document that has been checked. */
  add(doc: Stored): void {
    for (const values of this.#keysOf(doc)) this.#tree.set({ values, edge: 0, record: doc.id }, doc);
  }

  /** Removes the keys of a document. */
  remove(doc: Stored): void {
    for (const values of this.#keysOf(doc)) this.#tree.delete({ values, edge: 0, record: doc.id });
  }

  /** The documents of a range with their keys, forwards or backwards; with arrays the same document can come again. */
  *scan(range: Range, reverse: boolean, stats: ScanStats): Generator<{ values: readonly unknown[]; doc: Stored }> {
    const low: Key = { values: range.low.values, edge: range.low.inclusive ? -1 : 1, record: 0 };
    const high: Key = { values: range.high.values, edge: range.high.inclusive ? 1 : -1, record: 0 };
    const entries = reverse ? this.#tree.entriesReversed(high, []) : this.#tree.entries(low, []);
    for (const [key, doc] of entries) {
      if (reverse ? this.#compare(key, low) < 0 : this.#compare(key, high) > 0) return;
      stats.keysExamined += 1;
      yield { values: key.values, doc };
    }
  }

  /** True when the document belongs in this index. */
  #covers(doc: Stored): boolean {
    if (this.partial && !this.partial.test(this.partial.exact ? doc.exact() : doc.plain)) return false;
    return !this.spec.sparse || this.#paths.some((path) => present(doc.plain, path));
  }

  #keysOf(doc: Stored): unknown[][] {
    return this.#covers(doc) ? indexKeys(doc.plain, this.#paths, this.multikey) : [];
  }

  #compare(a: Key, b: Key): number {
    const shared = Math.min(a.values.length, b.values.length);
    for (let i = 0; i < shared; i++) {
      const order = compare(a.values[i], b.values[i]);
      if (order !== 0) return order * (this.directions[i] as number);
    }
    return a.edge - b.edge || a.record - b.record;
  }

  #sameValues(a: { values: readonly unknown[] }, b: { values: readonly unknown[] }): boolean {
    return compareKeys(a.values, b.values, this.directions) === 0;
  }

  #duplicate(namespace: string, values: readonly unknown[]): CommandError {
    const keyValue = Object.fromEntries(this.fields.map((path, i) => [path, values[i] ?? null]));
    const shown = this.fields.map((path) => `${path}: ${JSON.stringify(keyValue[path])}`).join(', ');
    const message = `E11000 duplicate key error collection: ${namespace} index: ${this.spec.name} dup key: { ${shown} }`;
    return new CommandError('DuplicateKey', message, { keyPattern: this.spec.key, keyValue });
  }
}

/** True when the path leads to a value, through any element of arrays. */
function present(value: unknown, path: readonly string[], at = 0): boolean {
  const part = path[at];
  if (part === undefined) return value !== undefined;
  if (Array.isArray(value)) return value.some((element) => isDoc(element) && present(element, path, at));
  return isDoc(value) && present(field(value, part), path, at + 1);
}
