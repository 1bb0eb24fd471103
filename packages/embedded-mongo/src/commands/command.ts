import type { Collection } from '../collection.ts';
import type { Cursors } from '../cursors.ts';
import { CommandError, notImplemented } from '../errors.ts';
import { variablesOf } from '../expressions.ts';
import { compileFilter } from '../filter.ts';
import { type Query, runQuery } from '../query.ts';
import type { Reply } from '../reply.ts';
import { parseSort } from '../sort.ts';
import type { Surroundings } from '../stages.ts';
import type { Store } from '../store.ts';
import { type Doc, isDoc, numberOf, toPlain } from '../values.ts';

/** What a command works with. */
export interface CommandContext {
  readonly store: Store;
  readonly cursors: Cursors;
  readonly database: string;
  readonly name: string;
  readonly args: Doc;
  readonly client: { readonly address: string; readonly connectionId: number };
  readonly port: number;
}

/** A command: the arguments that it knows, and what it does. Others are refused, so none is ignored silently. */
export interface Command {
  readonly fields: string;
  /** It reads only, or makes its own transactions; absent: what it does is one. */
  readonly isWhole?: false;
  readonly run: (context: CommandContext) => Reply;
}

/** Arguments that any command may have. Some of them mean something only on other deployments, and are ignored here. */
export const ignoredArguments = new Set(
  (
    'lsid $db $clusterTime $readPreference $configTime $topologyTime readConcern writeConcern comment maxTimeMS ' +
    'maxTimeMSOpOnly apiVersion apiStrict apiDeprecationErrors $client $audit mayBypassWriteBlocking $maxTimeMS'
  ).split(' '),
);

/** The namespace that the command's first argument names. @throws CommandError InvalidNamespace */
export function namespaceOf({ args, name, database }: CommandContext): string {
  const collection = args[name];
  if (typeof collection === 'string' && collection !== '') return `${database}.${collection}`;
  throw new CommandError('InvalidNamespace', `collection name has invalid type or is empty for ${name}`);
}

/** The collection that the command names, if it exists. */
export function collectionOf(context: CommandContext): Collection | undefined {
  return context.store.find(namespaceOf(context));
}

/** The collection that the command names. @throws CommandError NamespaceNotFound */
export function existing(context: CommandContext): Collection {
  const collection = collectionOf(context);
  if (!collection) throw new CommandError('NamespaceNotFound', `ns not found: ${namespaceOf(context)}`);
  return collection;
}

const lists = new Map<string, ReadonlySet<string>>();

/**
 * @param fields names with blanks between them: one of the few lists that commands have
 * @param isOther whether a field may be there besides
 * @throws CommandError Location40415 when an object has a field that is not in the list
 */
export function checkFields(object: Doc, fields: string, what = '', isOther?: (name: string) => boolean): void {
  const known = lists.get(fields) ?? new Set(fields.split(' '));
  lists.set(fields, known);
  const unknown = Object.keys(object).find((key) => !known.has(key) && !isOther?.(key));
  if (unknown !== undefined)
    throw new CommandError('Location40415', `BSON field '${what}${unknown}' is an unknown field.`);
}

/** A whole number that is not negative, undefined when absent. @throws CommandError BadValue */
export function countArgument(value: unknown, name: string): number | undefined {
  if (value === undefined || value === null) return undefined;
  const n = numberOf(value);
  if (Number.isInteger(n) && n >= 0) return n;
  throw new CommandError('BadValue', `BSON field '${name}' value must be >= 0 and whole`);
}

/** @throws CommandError NotImplemented for any collation but the simple one */
export function checkCollation(collation: unknown): void {
  if (isDoc(collation) && Object.keys(collation).length > 0 && collation.locale !== 'simple')
    notImplemented('collation');
}

/** @throws CommandError NotImplemented when one of the arguments is there and not empty */
export function refuseArguments(args: Doc, names: readonly string[]): void {
  for (const name of names) {
    const value = args[name];
    const empty =
      value === undefined ||
      value === false ||
      (isDoc(value) && name !== 'validator' && Object.keys(value).length === 0);
    if (!empty) notImplemented(`the option ${name}`);
  }
}

/** What pipelines and expressions of a command see of the database. */
export function surroundings({ store, database, args }: CommandContext): Surroundings {
  return {
    variables: variablesOf(args.let),
    find: (name, filter) =>
      runQuery(store.find(`${database}.${name}`), { filter: compileFilter(filter) }).docs.map(
        ({ doc }) => toPlain(doc) as Doc,
      ),
  };
}

/** The query in the arguments of find, count and the like. @throws CommandError */
export function queryOf(context: CommandContext, filter: unknown): Query {
  const { sort, skip, limit = 0, hint, collation } = context.args;
  checkCollation(collation);
  if (!Number.isInteger(numberOf(limit)))
    throw new CommandError('BadValue', "BSON field 'limit' has to be a whole number");
  return {
    filter: compileFilter(filter ?? {}, surroundings(context).variables),
    sort: parseSort(sort),
    skip: countArgument(skip, 'skip') ?? 0,
    limit: Math.abs(numberOf(limit)),
    hint,
  };
}
