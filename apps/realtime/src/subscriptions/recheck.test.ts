import { newId } from '@claude-cli/shared/ids';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { facts, Platform } from '../testing/platform.ts';

let platform: Platform;
beforeAll(async () => {
  platform = await Platform.start({ recheckMs: 100 });
});
afterAll(() => platform[Symbol.asyncDispose]());

const project = (...member_ids: string[]) => ({ name: 'Shop', status: 'active' as const, member_ids, changes: [] });

test('who is removed from a project hears no more of it, and is told; the others stay', async () => {
  const [leaving, staying] = [platform.user(), platform.user()];
  const project_id = platform.project(leaving, staying);
  const clients = [await platform.signIn(leaving), await platform.signIn(staying)] as const;
  for (const client of clients) await client.ask({ type: 'subscribe', channel: 'task_updates', project_id });
  platform.world.members.get(project_id)?.delete(leaving.id);
  await platform.tell('project.updated', project_id, project(staying.id));
  expect((await clients[0].next()).data).toEqual({
    code: 'PROJECT_ACCESS_DENIED',
    message: 'Access to the project was lost',
    details: { channel: 'task_updates', project_id },
  });
  await platform.tell('task.updated', project_id, facts(newId()));
  expect((await clients[1].next()).type).toBe('task_update');
  expect(await clients[0].settled()).toEqual([]);
});

test('a deleted project is told, then its subscriptions end', async () => {
  const user = platform.user();
  const project_id = platform.project(user);
  const client = await platform.signIn(user);
  await client.ask({ type: 'subscribe', channel: 'project_updates', project_id });
  platform.world.members.delete(project_id);
  await platform.tell('project.deleted', project_id, project(user.id));
  expect((await client.next()).type).toBe('project_update');
  expect((await client.next()).data.code).toBe('PROJECT_ACCESS_DENIED');
  await until(
    'nothing to be bound to the project',
    async () => !(await platform.broker.reaches(`project:${project_id}`)),
  );
});

test('an old event that does not name a member does not shut the member out', async () => {
  const user = platform.user();
  const project_id = platform.project(user);
  const client = await platform.signIn(user);
  await client.ask({ type: 'subscribe', channel: 'task_updates', project_id });
  const asked = platform.world.calls.length;
  await platform.tell('project.updated', project_id, project());
  await platform.tell('task.updated', project_id, facts(newId()));
  expect((await client.next()).type).toBe('task_update');
  await until('access to be asked again', () => platform.world.calls.length !== asked);
  expect(await client.settled()).toEqual([]);
});

test('access that is lost without an event is noticed by asking again', async () => {
  const user = platform.user();
  const project_id = platform.project(user);
  const client = await platform.signIn(user);
  await client.ask({ type: 'subscribe', channel: 'task_updates', project_id });
  platform.world.members.get(project_id)?.clear();
  platform.service.ctx.access.forget({ type: 'project.updated', project_id });
  expect((await client.next()).data.code).toBe('PROJECT_ACCESS_DENIED');
});
