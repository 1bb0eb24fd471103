import { CommandError, notImplemented } from '../errors.ts';
import type { Reply } from '../reply.ts';
import { type Doc, isDoc } from '../values.ts';
import { aggregateCommands, explainedPipeline } from './aggregate.ts';
import { catalogCommands } from './catalog.ts';
import type { Command, CommandContext } from './command.ts';
import { explained, findCommands } from './find.ts';
import { findAndModifyCommands } from './find-and-modify.ts';
import { indexCommands } from './indexes.ts';
import { serverCommands } from './server-info.ts';
import { checkNoTransaction, writeCommands } from './write.ts';

const commands: Record<string, Command> = {
  ...findCommands,
  ...aggregateCommands,
  ...writeCommands,
  ...findAndModifyCommands,
  ...indexCommands,
  ...catalogCommands,
  ...serverCommands,
  explain: { fields: 'verbosity', run: explain },
};

/** Names that clients also use. */
const aliases: Record<string, string> = {
  buildinfo: 'buildInfo',
  findandmodify: 'findAndModify',
  collstats: 'collStats',
  dbstats: 'dbStats',
  getlog: 'getLog',
};

/** Commands of MongoDB that this server knows to refuse by name. */
const refused = new Set(
  'mapReduce validate currentOp killOp reIndex compact convertToCapped cloneCollectionAsCapped bulkWrite profile top'.split(
    ' ',
  ),
);

/** Arguments that any command may have. Some of them mean something only on other deployments, and are ignored here. */
const general = new Set(
  (
    'lsid $db $clusterTime $readPreference $configTime $topologyTime readConcern writeConcern comment maxTimeMS ' +
    'maxTimeMSOpOnly apiVersion apiStrict apiDeprecationErrors txnNumber startTransaction autocommit let_ $client ' +
    '$audit mayBypassWriteBlocking $maxTimeMS'
  ).split(' '),
);

/**
 * Runs a command, whose changes are made in memory when this returns.
 * @throws CommandError CommandNotFound for an unknown name, Location40415 for an unknown argument
 */
export function runCommand(context: CommandContext): Reply {
  const name = aliases[context.name] ?? context.name;
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) {
    if (refused.has(name)) notImplemented(`the command ${name}`);
    throw new CommandError('CommandNotFound', `no such command: '${context.name}'`);
  }
  checkNoTransaction(context.args);
  const known = new Set(command.fields.split(' '));
  const unknown = Object.keys(context.args).find((key, i) => i > 0 && !known.has(key) && !general.has(key));
  if (unknown !== undefined && command.fields !== '*')
    throw new CommandError('Location40415', `BSON field '${name}.${unknown}' is an unknown field.`);
  return command.run(context);
}

function explain(outer: CommandContext): Reply {
  const inner = outer.args.explain;
  const verbosity = typeof outer.args.verbosity === 'string' ? outer.args.verbosity : 'allPlansExecution';
  if (!isDoc(inner)) throw new CommandError('BadValue', 'explain needs a command');
  const name = Object.keys(inner)[0] ?? '';
  const context = { ...outer, name, args: inner };
  const statement = (list: unknown): Doc => (Array.isArray(list) && isDoc(list[0]) ? list[0] : {});
  switch (name) {
    case 'find':
      return explained(context, inner.filter, verbosity);
    case 'count':
    case 'distinct':
      return explained(context, inner.query, verbosity);
    case 'findAndModify':
      return explained(context, inner.query, verbosity, true);
    case 'update': {
      const { q, multi } = statement(inner.updates);
      return explained(context, q, verbosity, multi !== true);
    }
    case 'delete': {
      const { q, limit } = statement(inner.deletes);
      return explained(context, q, verbosity, limit !== undefined && Number(limit) === 1);
    }
    case 'aggregate':
      return explainedPipeline(context, verbosity);
    default:
      throw new CommandError('CommandNotFound', `Explain failed due to unknown command: ${name}`);
  }
}
