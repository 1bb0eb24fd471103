import { Bus } from '@claude-cli/shared/amqp/bus';
import type { AnyEvent, EventType } from '@claude-cli/shared/events';
import { createLogger } from '@claude-cli/shared/logger';
import type { TestPlatform } from './platform.ts';

/** Events as the broker delivers them, from now until it is disposed. */
export interface ToldEvents extends AsyncDisposable {
  events: AnyEvent[];
}

/** Listen to events of some types. */
export async function listenTo({ env }: TestPlatform, ...types: EventType[]): Promise<ToldEvents> {
  await using stack = new AsyncDisposableStack();
  const { AMQP_URL = '', AMQP_PREFIX = '' } = env;
  const bus = stack.use(await Bus.connect(AMQP_URL, AMQP_PREFIX, createLogger('test', 'silent')));
  const events: AnyEvent[] = [];
  const patterns = types.map((type) => `${type}.#`);
  const take = async (event: AnyEvent) => void events.push(event);
  stack.use(await bus.subscribe<AnyEvent>({ exchange: 'events', patterns, prefetch: 100 }, take));
  const listening = stack.move();
  return { events, [Symbol.asyncDispose]: () => listening.disposeAsync() };
}
