import { CommandError } from '../errors.ts';
import { runQuery } from '../query.ts';
import { RawDoc } from '../reply.ts';
import { compileUpdate } from '../update.ts';
import type { Doc } from '../values.ts';
import { type Command, collectionOf, namespaceOf, surroundings } from './command.ts';
import { projector, queryOf } from './find.ts';
import { applyUpdate, upsert } from './write.ts';

/** The command that changes one document and returns it. */
export const findAndModifyCommands: Record<string, Command> = {
  findAndModify: {
    fields: 'query sort remove update new fields upsert arrayFilters hint collation let bypassDocumentValidation',
    run(context) {
      const { args, changes, store } = context;
      const query = queryOf(context, args.query);
      const around = surroundings(context);
      if ((args.update === undefined) === (args.remove !== true)) {
        throw new CommandError('FailedToParse', 'Either an update or remove=true must be specified, and not both');
      }
      if (args.remove === true && (args.new === true || args.upsert === true)) {
        throw new CommandError('FailedToParse', 'Cannot specify remove together with new or upsert');
      }
      const collection = collectionOf(context);
      const project = projector(args.fields, query.filter, around.variables);
      const found = collection && runQuery(collection, { ...query, skip: 0, limit: 1 }).docs[0];
      if (args.remove === true) {
        if (found) collection?.remove(found, changes);
        return { lastErrorObject: { n: found ? 1 : 0 }, value: found ? new RawDoc(project(found)) : null };
      }
      const update = compileUpdate(args.update, query.filter, args.arrayFilters, around);
      if (collection && found) {
        const after = applyUpdate(collection, found, update, changes);
        const value = new RawDoc(project(args.new === true ? after : found));
        return { lastErrorObject: { n: 1, updatedExisting: true }, value };
      }
      if (args.upsert !== true) return { lastErrorObject: { n: 0, updatedExisting: false }, value: null };
      const doc = upsert(store.ensure(namespaceOf(context), changes), (args.query ?? {}) as Doc, update, changes);
      const value = args.new === true ? new RawDoc(project(doc)) : null;
      return { lastErrorObject: { n: 1, updatedExisting: false, upserted: doc.exact()._id }, value };
    },
  },
};
