import { type EventCatalog, newEvent } from '@claude-cli/shared/events';
import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import { derivedId } from '@claude-cli/shared/ids';
import { until } from '@claude-cli/shared/testing/until';
import type { NotifyingEvent } from '../notifications/content.ts';
import { endOfTask } from './ended-tasks.ts';
import { createPerson } from './people.ts';
import { signedIn, type TestPlatform } from './platform.ts';

/** People with inboxes, and what is told to them. */
export type Inboxes = Awaited<ReturnType<typeof openInboxes>>;

/** A project, whose members are notified of its tasks. */
export async function openInboxes(platform: TestPlatform) {
  const { id: project_id } = await platform.projects.createProject({ name: 'Shop' }, platform.admin);

  const tell = (event: NotifyingEvent) => platform.ctx.bus.publishEvent(event);
  const listOf = (user: Origin, request = {}) => platform.notifications.listNotifications(request, user);

  /** Tell an event, and wait until what it makes for an audience is there: events are handled side by side. */
  async function told(event: NotifyingEvent, audience: string): Promise<string> {
    await tell(event);
    const id = derivedId(event.id, audience);
    await until('the notification', () =>
      platform.ctx.notifications.exists({ _id: id }).then((found) => found !== null),
    );
    return id;
  }

  const endFor = (
    user: Origin,
    title: string,
    type: 'task.completed' | 'task.failed' | 'task.cancelled' = 'task.failed',
  ) =>
    endOfTask(type, {
      project_id,
      title,
      people: { created_by: user.caller.user_id, assigned_to: null, requested_by: null },
    });

  return {
    project_id,
    tell,
    told,
    listOf,
    endFor,
    /** A user with an account, who is a member of the project unless said otherwise. */
    async person(isMember = true): Promise<Origin> {
      const { id } = await createPerson(platform);
      const member = { project_id, user_id: id, role: 'viewer' as const };
      if (isMember) await platform.projects.addMember(member, platform.admin);
      return signedIn(id);
    },
    toldTo: (user: Origin, title: string) => told(endFor(user, title), user.caller.user_id),
    messagesOf: async (user: Origin, request = {}) => (await listOf(user, request)).items.map((each) => each.message),
    audienceCount: (audience: string) => platform.ctx.notifications.countDocuments({ audience }),
    alert: (title: string) => {
      const data: EventCatalog['system.alert'] = { level: 'error', title, message: `${title}!`, details: {} };
      return newEvent('system.alert', { actor: 'monitoring', project_id: null }, data) as NotifyingEvent;
    },
  };
}
