import { inParallel } from '@claude-cli/shared/in-parallel';
import { unwantedKinds } from '@claude-cli/shared/wanted-notifications';
import type { Context } from '../context.ts';
import type { Message } from '../messages/encoded.ts';
import type { Subscriber } from '../subscriptions/hub.ts';

/** Users who are asked about at once. */
const atOnce = 16;

/**
 * Learn which notifications for everybody a subscriber does not want. Those for one user alone are made only when wanted.
 * @throws PlatformError when project-service cannot tell
 */
export async function learnUnwanted({ users, preferences }: Context, subscriber: Subscriber): Promise<void> {
  const { caller, requestId } = subscriber.origin;
  const ask = async () => {
    const answer = await users.getPreferences({ user_id: caller.user_id }, { caller, requestId });
    return new Set<string>(unwantedKinds(answer.preferences ?? {}));
  };
  subscriber.unwanted = await preferences.get(caller.user_id, ask);
}

/** Learn anew for all who listen to notifications: preferences change without a word. */
export async function learnUnwantedOfAll(ctx: Context): Promise<void> {
  const listening = ctx.hub.subscribers().filter((subscriber) => {
    return ctx.hub.of(subscriber).some(({ subscription }) => subscription.channel === 'notifications');
  });
  // Of those who cannot be asked about now, what was known holds.
  await inParallel(listening, atOnce, (subscriber) => learnUnwanted(ctx, subscriber).catch(() => {}));
}

/** Whether a message is a notification of one of these kinds. */
export function isUnwanted({ type, data }: Message, kinds: ReadonlySet<string>): boolean {
  return type === 'notification' && data !== undefined && 'kind' in data && kinds.has(String(data.kind));
}
