import { inShortSpan } from '@claude-cli/shared/telemetry/tracing';
import type { Context } from '../context.ts';
import type { Scope } from '../log/scope.ts';
import { gapMessage } from '../messages/gap.ts';
import { isProjectEvent, recheckAfter } from '../subscriptions/recheck.ts';
import { topicOf } from '../subscriptions/subscription.ts';
import { CommandHistory } from './command-history.ts';
import type { Item } from './item.ts';
import { LogHistory } from './log-history.ts';
import { Stream, type StreamListener } from './stream.ts';

const commandPrefix = 'command:';
/** By when the runners have usually stored what they have shown, in milliseconds. */
const settleMs = 1_500;

/** Name of the stream of a command. */
export function commandStream(commandId: string): `command:${string}` {
  return `${commandPrefix}${commandId}`;
}

/** Open a stream by its name: what happens in a scope, or what a command writes. */
export function openStream(ctx: Context, name: string): { stream: Stream; ready: Promise<void> } {
  if (name.startsWith(commandPrefix)) {
    const commandId = name.slice(commandPrefix.length);
    const history = new CommandHistory(commandId, ctx.commands);
    const opened = Stream.open(
      history,
      listenerOfCommand(ctx, commandId, () => opened.stream),
      ctx.log,
    );
    // What was shown before we listened, and not stored before we read, is followed by nothing that would tell of it.
    setTimeout(() => void opened.stream.check(), settleMs).unref();
    return opened;
  }
  const history = new LogHistory(name as Scope, ctx.logStore, ctx.blocks);
  const opened = Stream.open(
    history,
    listenerOfScope(ctx, () => opened.stream),
    ctx.log,
  );
  return opened;
}

function listenerOfScope(ctx: Context, stream: () => Stream): StreamListener {
  const gap = (epoch: string, lacking?: { from: number; to: number }) => tellGap(ctx, stream(), epoch, lacking);
  return {
    tell: (item) => {
      push(item, () => ctx.hub.publish(item.topics, item.messages));
      if (isProjectEvent(item.event)) recheckAfter(ctx, item.event);
    },
    gap,
    renewed: gap,
  };
}

function listenerOfCommand(ctx: Context, commandId: string, stream: () => Stream): StreamListener {
  const topic = topicOf({ channel: 'command_output', field: 'command_id', id: commandId });
  return {
    tell: (item) => push(item, () => ctx.hub.publish([topic], item.messages)),
    gap: (epoch, lacking) => tellGap(ctx, stream(), epoch, lacking, commandId),
    // An execution runs again: that is told from its beginning, so nothing of it is missed.
    renewed: () => {},
  };
}

/** What is told to clients is the end of the way of an event. */
function push({ event: { type, traceparent } }: Item, send: () => void): void {
  if (traceparent === undefined) send();
  else inShortSpan(`push ${type}`, { parent: traceparent, kind: 'producer' }, send);
}

function tellGap(
  { hub }: Context,
  stream: Stream,
  epoch: string,
  lacking: { from: number; to: number } | undefined,
  command_id?: string,
): void {
  for (const { subscriber, subscription, live } of hub.following(stream)) {
    if (!live) continue;
    const dropped = command_id !== undefined && lacking ? lacking.to - lacking.from + 1 : null;
    const about = command_id === undefined ? {} : { command_id };
    subscriber.send(gapMessage({ channel: subscription.channel, dropped, ...about, epoch, ...lacking }));
  }
}
