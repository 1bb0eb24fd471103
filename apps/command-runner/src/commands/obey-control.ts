import type { ControlMessage } from '@claude-cli/shared/amqp/bus';
import type { Context } from '../context.ts';

/** Obey orders to all runners: whoever has the command stops it. */
export function obeyControl(ctx: Context): Promise<AsyncDisposable> {
  return ctx.bus.subscribe<ControlMessage>({ exchange: 'control', patterns: [''], prefetch: 10 }, async (message) => {
    if (message.order === 'cancel') ctx.running.get(message.command_id)?.stop('cancelled');
  });
}
