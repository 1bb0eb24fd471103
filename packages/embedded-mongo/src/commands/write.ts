import { ObjectId } from 'bson';
import type { Changes } from '../changes.ts';
import type { Collection } from '../collection.ts';
import { CommandError, notImplemented } from '../errors.ts';
import { compileFilter, type Filter } from '../filter.ts';
import { equals } from '../order.ts';
import { runQuery } from '../query.ts';
import type { Reply } from '../reply.ts';
import type { Stored } from '../stored.ts';
import { compileUpdate, fieldsOfFilter, type Update, withIdFirst } from '../update.ts';
import { assertDocumentSize, type Doc, isDoc, numberOf, readExact, toPlain, write } from '../values.ts';
import {
  type Command,
  type CommandContext,
  checkCollation,
  collectionOf,
  namespaceOf,
  surroundings,
} from './command.ts';

const maxStatements = 100_000;

/** Runs the statements of a write command, each as a whole or not at all, and collects what failed. */
function runStatements(context: CommandContext, list: unknown, run: (statement: never, index: number) => void): Doc[] {
  if (!Array.isArray(list) || list.length === 0 || list.length > maxStatements) {
    throw new CommandError('InvalidLength', `Write batch sizes must be between 1 and ${maxStatements}`);
  }
  const errors: Doc[] = [];
  for (const [index, statement] of list.entries()) {
    const mark = context.changes.mark;
    try {
      run(statement as never, index);
    } catch (thrown) {
      context.changes.rollback(mark);
      const error = CommandError.from(thrown);
      errors.push({ index, code: error.code, errmsg: error.message, ...error.details });
      if (context.args.ordered !== false) break;
    }
  }
  return errors;
}

function reply(counts: Doc, errors: Doc[]): Reply {
  return { ...counts, ...(errors.length > 0 && { writeErrors: errors }) };
}

/** The BSON of a document to insert: with an `_id`, and that first. */
export function prepared(bytes: Uint8Array): Uint8Array {
  assertDocumentSize(bytes);
  if (bytes[5] === 0x5f && bytes[6] === 0x69 && bytes[7] === 0x64 && bytes[8] === 0 && isPlainIdType(bytes[4])) {
    return bytes.slice();
  }
  const doc = readExact(bytes);
  checkId(doc._id);
  return write(withIdFirst(Object.hasOwn(doc, '_id') ? doc : { _id: new ObjectId(), ...doc }));
}

/** Not an array, a regular expression or undefined. */
function isPlainIdType(type: number | undefined): boolean {
  return type !== 0x04 && type !== 0x0b && type !== 0x06;
}

function checkId(id: unknown): void {
  const wrong = Array.isArray(id)
    ? 'array'
    : (id as { _bsontype?: string } | null)?._bsontype === 'BSONRegExp'
      ? 'regex'
      : undefined;
  if (wrong) throw new CommandError('InvalidIdField', `The '_id' value cannot be of type ${wrong}`);
}

/** Changes one document; false when the update left it as it was. */
export function applyUpdate(collection: Collection, before: Stored, update: Update, changes: Changes): Stored {
  const exact = before.exact();
  const doc = update.apply(exact, false);
  if (!equals(doc._id, exact._id)) {
    const message = `Performing an update on the path '_id' would modify the immutable field '_id'`;
    throw new CommandError('ImmutableField', message);
  }
  const bytes = write(doc);
  return Buffer.compare(bytes, before.bytes) === 0 ? before : collection.replace(before, bytes, changes);
}

/** Inserts what an upsert makes of its filter and its update. */
export function upsert(collection: Collection, filter: Doc, update: Update, changes: Changes): Stored {
  const base = fieldsOfFilter(filter, update.replaces);
  const doc = update.apply(base, true);
  if (base._id !== undefined && !equals(base._id, doc._id)) {
    throw new CommandError(
      'ImmutableField',
      "Performing an update on the path '_id' would modify the immutable field '_id'",
    );
  }
  checkId(doc._id);
  if (doc._id === undefined) delete doc._id;
  return collection.insert(
    write(Object.hasOwn(doc, '_id') ? withIdFirst(doc) : { _id: new ObjectId(), ...doc }),
    changes,
  );
}

interface Statement {
  readonly q: Doc;
  readonly u: unknown;
  readonly limit?: unknown;
  readonly multi?: boolean;
  readonly upsert?: boolean;
  readonly hint?: unknown;
  readonly arrayFilters?: unknown;
  readonly collation?: unknown;
  readonly sort?: unknown;
}

/** The documents that a statement is about. */
function targets(collection: Collection | undefined, filter: Filter, statement: Statement, all: boolean): Stored[] {
  checkCollation(statement.collation);
  if (!collection) return [];
  return runQuery(collection, { filter, hint: statement.hint, ...(!all && { limit: 1 }) }).docs;
}

function checkStatement(statement: Statement, known: string): void {
  if (!isDoc(statement)) throw new CommandError('TypeMismatch', 'a write statement has to be a document');
  const unknown = Object.keys(statement).find((key) => !known.split(' ').includes(key));
  if (unknown) throw new CommandError('Location40415', `BSON field '${unknown}' is an unknown field.`);
}

/** Commands that write documents. */
export const writeCommands: Record<string, Command> = {
  insert: {
    fields: 'documents ordered bypassDocumentValidation',
    run(context) {
      let n = 0;
      const namespace = namespaceOf(context);
      const errors = runStatements(context, context.args.documents, (bytes: Uint8Array) => {
        const doc = prepared(bytes);
        context.store.ensure(namespace, context.changes).insert(doc, context.changes);
        n += 1;
      });
      return reply({ n }, errors);
    },
  },
  update: {
    fields: 'updates ordered bypassDocumentValidation let',
    run(context) {
      const counts = { n: 0, nModified: 0 };
      const upserted: Doc[] = [];
      const namespace = namespaceOf(context);
      const around = surroundings(context);
      const errors = runStatements(context, context.args.updates, (statement: Statement, index) => {
        checkStatement(statement, 'q u c multi upsert hint arrayFilters collation');
        const filter = compileFilter(toPlain(statement.q), around.variables);
        const constants = (statement as { c?: unknown }).c;
        const variables = isDoc(constants) ? { ...around.variables, ...(toPlain(constants) as Doc) } : around.variables;
        const update = compileUpdate(statement.u, filter, statement.arrayFilters, { ...around, variables });
        const multi = statement.multi === true;
        if (multi && update.replaces) {
          throw new CommandError('FailedToParse', 'multi update is not supported for replacement-style update');
        }
        const collection = context.store.find(namespace);
        const docs = targets(collection, filter, statement, multi);
        let modified = 0;
        for (const doc of docs) {
          if (collection && applyUpdate(collection, doc, update, context.changes) !== doc) modified += 1;
        }
        if (docs.length === 0 && statement.upsert === true) {
          const target = collection ?? context.store.ensure(namespace, context.changes);
          const doc = upsert(target, statement.q, update, context.changes);
          upserted.push({ index, _id: doc.exact()._id });
          counts.n += 1;
        }
        counts.n += docs.length;
        counts.nModified += modified;
      });
      return reply({ ...counts, ...(upserted.length > 0 && { upserted }) }, errors);
    },
  },
  delete: {
    fields: 'deletes ordered let',
    run(context) {
      let n = 0;
      const { variables } = surroundings(context);
      const collection = collectionOf(context);
      const errors = runStatements(context, context.args.deletes, (statement: Statement) => {
        checkStatement(statement, 'q limit hint collation');
        const limit = numberOf(statement.limit);
        if (limit !== 0 && limit !== 1)
          throw new CommandError('FailedToParse', 'The limit field in delete objects must be 0 or 1.');
        const filter = compileFilter(toPlain(statement.q), variables);
        for (const doc of targets(collection, filter, statement, limit === 0)) {
          collection?.remove(doc, context.changes);
          n += 1;
        }
      });
      return reply({ n }, errors);
    },
  },
};

/** Refuses what only replica sets can do. */
export function checkNoTransaction(args: Doc): void {
  if (args.startTransaction !== undefined || args.autocommit !== undefined || args.txnNumber !== undefined) {
    throw new CommandError(
      'IllegalOperation',
      'Transaction numbers are only allowed on a replica set member or mongos',
    );
  }
  if (isDoc(args.readConcern) && ['snapshot', 'linearizable'].includes(String(args.readConcern.level))) {
    notImplemented(`read concern ${String(args.readConcern.level)}`);
  }
}
