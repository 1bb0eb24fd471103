import type { ApiClient } from '../../scripts/api-client.ts';
import type { TestPlatform } from '../support/platform.ts';
import { createTask, execute, taskWithStatus } from '../support/tasks.ts';
import { createUser, type TestUser } from '../support/users.ts';

/** Everybody who may come: without an account, with one of each role, with each part in the project, with a key, an admin. */
export const callers = [
  'anonymous',
  /** Account viewer, and account developer, without a part in the project. */
  'viewer',
  'outsider',
  /** Accounts of developers who view, edit and own the project. */
  'reader',
  'editor',
  'owner',
  /** Account viewer who edits the project: both must allow. */
  'limited',
  /** An API key of the owner for reading. */
  'key',
  'admin',
] as const;

/** One of {@link callers}. */
export type CallerName = (typeof callers)[number];

/** The platform with everybody, and a resource of each kind that belongs to the owner. */
export interface World {
  platform: TestPlatform;
  apis: Record<CallerName, ApiClient>;
  users: Record<'viewer' | 'outsider' | 'reader' | 'editor' | 'owner' | 'limited', TestUser>;
  project: string;
  task: string;
  /** A task that was executed to its end. */
  ended: string;
  /** One that was executed and failed. */
  failed: string;
  session: string;
  webhook: string;
  delivery: string;
  command: string;
}

/** Make everybody and everything. */
export async function createWorld(platform: TestPlatform): Promise<World> {
  const { admin, visitor } = platform;
  const names = ['viewer', 'outsider', 'reader', 'editor', 'owner', 'limited'] as const;
  const roleOf = (name: string) => (name === 'viewer' || name === 'limited' ? 'viewer' : 'developer');
  const made = await Promise.all(names.map(async (name) => [name, await createUser(platform, roleOf(name))] as const));
  const users = Object.fromEntries(made) as World['users'];
  const owner = users.owner.api;
  const { id: project } = await owner.call<{ id: string }>('POST', '/api/projects/', { name: 'Of the owner' });
  for (const [user, role] of [
    [users.reader, 'viewer'],
    [users.editor, 'editor'],
    [users.limited, 'editor'],
  ] as const) {
    await owner.call('POST', `/api/projects/${project}/members`, { user_id: user.id, role });
  }
  const scopes = { name: 'reads', scopes: ['read'] };
  const { key } = await owner.call<{ key: string }>('POST', '/api/users/api-keys', scopes);
  const apis = Object.fromEntries(names.map((name) => [name, users[name].api]));
  const ended = await createTask(owner, project, 'true');
  const failed = await createTask(owner, project, 'false');
  await execute(owner, ended);
  await execute(owner, failed, { retry_attempts: 0 });
  await taskWithStatus(owner, ended, ['completed'], 60_000);
  const { session_id } = await owner.call<{ session_id: string }>('POST', '/api/sessions/', {});
  const webhook = await createWebhook(owner, project);
  const test = { event_type: 'task.completed' };
  const delivery = await owner.call<{ id: string }>('POST', `/api/webhooks/${webhook}/test`, test);
  return {
    platform,
    apis: { ...apis, anonymous: visitor, key: visitor.as(key), admin } as World['apis'],
    users,
    project,
    task: await createTask(owner, project, 'true'),
    ended,
    failed,
    session: session_id,
    webhook,
    delivery: delivery.id,
    command: await startCommand(owner, 'true'),
  };
}

/** A new webhook of the project. @returns its id */
export async function createWebhook(owner: ApiClient, project_id: string): Promise<string> {
  const body = { url: 'https://hooks.example.com/x', events: ['task.completed'], project_id };
  return (await owner.call<{ id: string }>('POST', '/api/webhooks/', body)).id;
}

/** Start a direct command. @returns its id */
export async function startCommand(api: ApiClient, command: string): Promise<string> {
  return (await api.call<{ command_id: string }>('POST', '/api/commands/execute', { command })).command_id;
}
