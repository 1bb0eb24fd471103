import { CommandError, notImplemented } from '../errors.ts';
import type { Reply } from '../reply.ts';
import { isDoc } from '../values.ts';
import { catalogCommands } from './catalog.ts';
import { type Command, type CommandContext, checkFields, ignoredArguments } from './command.ts';
import { indexCommands } from './indexes.ts';
import { readCommands } from './read.ts';
import { serverCommands } from './server-info.ts';
import { writeCommands } from './write.ts';

const commands: Record<string, Command> = {
  ...readCommands,
  ...writeCommands,
  ...indexCommands,
  ...catalogCommands,
  ...serverCommands,
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
  'mapReduce collMod renameCollection validate currentOp killOp reIndex compact convertToCapped cloneCollectionAsCapped bulkWrite profile top'.split(
    ' ',
  ),
);

/**
 * Runs a command, as a whole or not at all.
 * @throws CommandError CommandNotFound for an unknown name, Location40415 for an unknown argument
 */
export function runCommand(context: CommandContext): Reply {
  const name = aliases[context.name] ?? context.name;
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) {
    if (refused.has(name)) notImplemented(`the command ${name}`);
    throw new CommandError('CommandNotFound', `no such command: '${context.name}'`);
  }
  const { txnNumber, startTransaction, autocommit, ...args } = context.args;
  if ([txnNumber, startTransaction, autocommit].some((each) => each !== undefined)) {
    const message = 'Transaction numbers are only allowed on a replica set member or mongos';
    throw new CommandError('IllegalOperation', message);
  }
  const level = isDoc(args.readConcern) ? String(args.readConcern.level) : '';
  if (['snapshot', 'linearizable'].includes(level)) notImplemented(`read concern ${level}`);
  const isOther = (field: string) => field === context.name || ignoredArguments.has(field);
  if (command.fields !== '*') checkFields(args, command.fields, `${name}.`, isOther);
  const run = () => command.run(context);
  return command.isWhole === false ? run() : context.store.transaction(run);
}
