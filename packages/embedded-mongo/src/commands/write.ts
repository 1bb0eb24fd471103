import type { Collection, Stored } from '../collection.ts';
import { CommandError } from '../errors.ts';
import { compileFilter, type Filter } from '../filter.ts';
import { runQuery } from '../query.ts';
import type { Reply } from '../reply.ts';
import { changed, compileUpdate, prepared, type Update, upserted, type Version } from '../update.ts';
import { type Doc, isDoc, numberOf, read } from '../values.ts';
import {
  type Command,
  type CommandContext,
  checkCollation,
  checkFields,
  collectionOf,
  namespaceOf,
  queryOf,
  surroundings,
} from './command.ts';
import { projectorOf } from './read.ts';

const maxStatements = 100_000;

/**
 * Runs the statements of a write command, each as a whole or not at all, and adds what failed to the reply.
 * @param none the counts of the reply before anything is done
 * @param run adds to the counts, which hold if the statement is done
 */
function runStatements<Counts extends Reply>(
  { store, args }: CommandContext,
  list: unknown,
  none: Counts,
  run: (statement: never, index: number, counts: Counts) => void,
): Reply {
  if (!Array.isArray(list) || list.length === 0 || list.length > maxStatements) {
    throw new CommandError('InvalidLength', `Write batch sizes must be between 1 and ${maxStatements}`);
  }
  const writeErrors: Doc[] = [];
  let reply = none;
  const runAll = () => {
    for (const [index, statement] of list.entries()) {
      try {
        const counts = { ...reply };
        store.transaction(() => run(statement as never, index, counts));
        reply = counts;
      } catch (thrown) {
        const { code, message, details } = CommandError.from(thrown);
        writeErrors.push({ index, code, errmsg: message, ...details });
        if (args.ordered !== false) break;
      }
    }
  };
  if (list.length === 1) runAll();
  else store.together(runAll);
  return { ...reply, ...(writeErrors.length > 0 && { writeErrors }) };
}

/** Inserts a document as it came; what begins with a simple `_id` is taken as it is. */
function insertGiven(collection: Collection, given: Uint8Array): Stored {
  const ready =
    Buffer.from(given.subarray(5, 9)).toString('latin1') === '_id\0' && ![0x04, 0x06, 0x0b].includes(given[4] ?? 0);
  return ready ? collection.insert(given) : insertVersion(collection, prepared(read(given)));
}

function insertVersion(collection: Collection, { bytes, doc }: Version): Stored {
  return collection.insert(bytes, doc);
}

/** Puts the new version in a document's place; the document itself when that changes nothing. */
function applyUpdate(collection: Collection, before: Stored, update: Update): Stored {
  const change = changed(update, before);
  return change ? collection.replace(before, change) : before;
}

interface Statement {
  readonly q: Doc;
  readonly u: unknown;
  readonly c?: unknown;
  readonly limit?: unknown;
  readonly multi?: boolean;
  readonly upsert?: boolean;
  readonly hint?: unknown;
  readonly arrayFilters?: unknown;
  readonly collation?: unknown;
}

function check(statement: Statement, fields: string): void {
  if (!isDoc(statement)) throw new CommandError('TypeMismatch', 'a write statement has to be a document');
  checkFields(statement, fields);
  checkCollation(statement.collation);
}

function targets(collection: Collection | undefined, filter: Filter, hint: unknown, all: boolean): Stored[] {
  return runQuery(collection, { filter, hint, limit: all ? 0 : 1 }).docs;
}

/** Commands that write documents. */
export const writeCommands: Record<string, Command> = {
  insert: {
    fields: 'documents ordered bypassDocumentValidation',
    isWhole: false,
    run(context) {
      const namespace = namespaceOf(context);
      return runStatements(context, context.args.documents, { n: 0 }, (bytes: Uint8Array, _index, counts) => {
        insertGiven(context.store.ensure(namespace), bytes);
        counts.n += 1;
      });
    },
  },
  update: {
    fields: 'updates ordered bypassDocumentValidation let',
    isWhole: false,
    run(context) {
      const namespace = namespaceOf(context);
      const around = surroundings(context);
      const none: { n: number; nModified: number; upserted?: Doc[] } = { n: 0, nModified: 0 };
      return runStatements(context, context.args.updates, none, (statement: Statement, index, counts) => {
        check(statement, 'q u c multi upsert hint arrayFilters collation');
        const { q, u, c, multi = false, upsert, hint, arrayFilters } = statement;
        const filter = compileFilter(q, around.variables);
        const variables = isDoc(c) ? { ...around.variables, ...c } : around.variables;
        const update = compileUpdate(u, filter, arrayFilters, { ...around, variables });
        if (multi && update.replaces) {
          throw new CommandError('FailedToParse', 'multi update is not supported for replacement-style update');
        }
        const collection = context.store.find(namespace);
        const docs = targets(collection, filter, hint, multi);
        const modified = docs.filter((doc) => collection && applyUpdate(collection, doc, update) !== doc);
        if (docs.length === 0 && upsert === true) {
          const { doc } = insertVersion(context.store.ensure(namespace), upserted(update, filter));
          counts.upserted = [...(counts.upserted ?? []), { index, _id: doc._id }];
          counts.n += 1;
        }
        counts.n += docs.length;
        counts.nModified += modified.length;
      });
    },
  },
  delete: {
    fields: 'deletes ordered let',
    isWhole: false,
    run(context) {
      const { variables } = surroundings(context);
      return runStatements(context, context.args.deletes, { n: 0 }, (statement: Statement, _index, counts) => {
        const collection = collectionOf(context);
        check(statement, 'q limit hint collation');
        const limit = numberOf(statement.limit);
        if (limit !== 0 && limit !== 1) {
          throw new CommandError('FailedToParse', 'The limit field in delete objects must be 0 or 1.');
        }
        const docs = targets(collection, compileFilter(statement.q, variables), statement.hint, limit === 0);
        for (const doc of docs) collection?.remove(doc);
        counts.n += docs.length;
      });
    },
  },
  findAndModify: {
    fields: 'query sort remove update new fields upsert arrayFilters hint collation let bypassDocumentValidation',
    run(context) {
      const { args, store } = context;
      const remove = args.remove === true;
      if ((args.update === undefined) !== remove || (remove && (args.new === true || args.upsert === true))) {
        throw new CommandError('FailedToParse', 'Either an update or remove=true must be specified, and not both');
      }
      const query = queryOf(context, args.query);
      const project = projectorOf(context, args.fields) ?? ((doc: Doc) => doc);
      const collection = collectionOf(context);
      const [found] = runQuery(collection, { ...query, limit: 1 }).docs;
      if (remove) {
        if (found) collection?.remove(found);
        return { lastErrorObject: { n: found ? 1 : 0 }, value: found ? project(found.doc) : null };
      }
      const update = compileUpdate(args.update, query.filter, args.arrayFilters, surroundings(context));
      if (collection && found) {
        const after = applyUpdate(collection, found, update);
        const value = project((args.new === true ? after : found).doc);
        return { lastErrorObject: { n: 1, updatedExisting: true }, value };
      }
      if (args.upsert !== true) return { lastErrorObject: { n: 0, updatedExisting: false }, value: null };
      const { doc } = insertVersion(store.ensure(namespaceOf(context)), upserted(update, query.filter));
      const value = args.new === true ? project(doc) : null;
      return { lastErrorObject: { n: 1, updatedExisting: false, upserted: doc._id }, value };
    },
  },
};
