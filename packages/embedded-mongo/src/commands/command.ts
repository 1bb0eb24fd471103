import type { Changes } from '../changes.ts';
import type { Collection } from '../collection.ts';
import type { Cursors } from '../cursors.ts';
import { CommandError, notImplemented } from '../errors.ts';
import { variablesOf } from '../expressions.ts';
import { compileFilter } from '../filter.ts';
import { runQuery } from '../query.ts';
import type { Reply } from '../reply.ts';
import type { Surroundings } from '../stages.ts';
import type { Store } from '../store.ts';
import { type Doc, isDoc, numberOf, readPlain } from '../values.ts';

/** What a command works with. */
export interface CommandContext {
  readonly store: Store;
  readonly cursors: Cursors;
  readonly database: string;
  readonly name: string;
  /** The arguments in exact form. */
  readonly args: Doc;
  readonly changes: Changes;
  readonly client: { readonly address: string; readonly connectionId: number };
  readonly port: number;
}

/** A command: the arguments that it knows, and what it does. Others are refused, so none is ignored silently. */
export interface Command {
  readonly fields: string;
  readonly run: (context: CommandContext) => Reply;
}

/** The namespace that the command's first argument names. @throws CommandError InvalidNamespace */
export function namespaceOf(context: CommandContext): string {
  const name = context.args[context.name];
  if (typeof name !== 'string' || name === '') {
    throw new CommandError('InvalidNamespace', `collection name has invalid type or is empty for ${context.name}`);
  }
  return `${context.database}.${name}`;
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

/** A whole number that is not negative, undefined when absent. @throws CommandError BadValue */
export function countArgument(value: unknown, name: string): number | undefined {
  if (value === undefined || value === null) return undefined;
  const n = numberOf(value);
  if (!Number.isInteger(n) || n < 0)
    throw new CommandError('BadValue', `BSON field '${name}' value must be >= 0 and whole`);
  return n;
}

/** @throws CommandError NotImplemented for any collation but the simple one */
export function checkCollation(collation: unknown): void {
  if (isDoc(collation) && Object.keys(collation).length > 0 && collation.locale !== 'simple')
    notImplemented('collation');
}

/** What pipelines and expressions of a command see of the database. */
export function surroundings(context: CommandContext): Surroundings {
  return {
    variables: variablesOf(context.args.let),
    find(name, filter) {
      const source = context.store.find(`${context.database}.${name}`);
      if (!source) return [];
      return runQuery(source, { filter: compileFilter(filter) }).docs.map(({ bytes }) => readPlain(bytes));
    },
  };
}
