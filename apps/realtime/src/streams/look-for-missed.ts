import { every } from '@claude-cli/shared/timer';
import type { Context } from '../context.ts';
import type { Scope } from '../log/scope.ts';
import { commandStream } from './open-stream.ts';

/**
 * Look now and then whether something was missed that nothing followed on: the last event before silence, or the end of a
 * command. What was missed is told then.
 */
export function lookForMissed(ctx: Context): AsyncDisposable {
  return every(ctx.limits.lookMs, 'looking for what was missed', () => look(ctx), ctx.log);
}

async function look({ streams, logStore }: Context): Promise<void> {
  const isCommand = (name: string) => name.startsWith(commandStream(''));
  const scopes = streams.names().filter((name) => !isCommand(name)) as Scope[];
  await streams.compare(await logStore.storedHeads(scopes));
  await streams.check(isCommand);
}
