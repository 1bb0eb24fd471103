import { randomBytes } from 'node:crypto';
import type { ApiClient } from '../../scripts/api-client.ts';
import { createTask, execute, taskWithStatus } from '../support/tasks.ts';
import { createUser, signIn } from '../support/users.ts';
import { type CallerName, createWebhook, startCommand, type World } from './people.ts';
import type { PolicyName } from './policies.ts';

/** What a request of an endpoint holds; the rest of the address is that of the document. */
export interface Sent {
  path?: Record<string, string>;
  query?: Record<string, string>;
  body?: object;
  /** Who sends it instead of the usual client of the caller. */
  as?: ApiClient;
}

/** Who may call an endpoint, and a request that succeeds for those who may, made anew for each caller. */
type Row = readonly [PolicyName, ((world: World, caller: CallerName) => Sent | Promise<Sent>)?];

const owner = ({ apis }: World) => apis.owner;
const ofProject = ({ project }: World) => ({ path: { project_id: project } });
const ofTask = ({ task }: World) => ({ path: { task_id: task } });
const freshTask = async (world: World) => createTask(owner(world), world.project, 'true');
const ofFreshTask = async (world: World) => ({ path: { task_id: await freshTask(world) } });
const ofSession = ({ session }: World) => ({ path: { session_id: session } });
const ofWebhook = ({ webhook }: World) => ({ path: { webhook_id: webhook } });
const freshWebhook = async (world: World) => {
  const webhook = await createWebhook(owner(world), world.project);
  // A project has room for 50 of them.
  const remove = () => owner(world).request('DELETE', `/api/webhooks/${webhook}`);
  cleanups.push(remove);
  return webhook;
};
const ofFreshWebhook = async (world: World) => ({ path: { webhook_id: await freshWebhook(world) } });
const ofCommand = ({ command }: World) => ({ path: { command_id: command } });
const unique = () => randomBytes(6).toString('hex');
const withBody =
  (of: (world: World, caller: CallerName) => Sent | Promise<Sent>, body: object) =>
  async (world: World, caller: CallerName) => ({ ...(await of(world, caller)), body });

/** What is to be taken away after each request. */
export const cleanups: (() => Promise<unknown>)[] = [];

async function freshMember(world: World): Promise<string> {
  const { id: user_id } = await createUser(world.platform);
  const path = `/api/projects/${world.project}/members`;
  await owner(world).call('POST', path, { user_id, role: 'viewer' });
  cleanups.push(() => owner(world).request('DELETE', `${path}/${user_id}`));
  return user_id;
}

async function freshProject(world: World): Promise<string> {
  const { reader, editor, limited } = world.users;
  const { id } = await owner(world).call<{ id: string }>('POST', '/api/projects/', { name: 'Fresh' });
  const parts = [
    [reader, 'viewer'],
    [editor, 'editor'],
    [limited, 'editor'],
  ] as const;
  for (const [user, role] of parts) {
    await owner(world).call('POST', `/api/projects/${id}/members`, { user_id: user.id, role });
  }
  return id;
}

/** Another sign-in of an account like the caller's, which may be spoiled. */
async function spoilable(world: World, caller: CallerName): Promise<{ as?: ApiClient; password: string }> {
  if (caller === 'anonymous' || caller === 'key') return { password: 'whatever it is' };
  const role = caller === 'admin' ? 'admin' : caller === 'viewer' || caller === 'limited' ? 'viewer' : 'developer';
  const { username, password } = await createUser(world.platform, role);
  return { as: await signIn(world.platform.visitor, username, password), password };
}

async function ofFailed(world: World): Promise<Sent> {
  await taskWithStatus(owner(world), world.failed, ['failed'], 60_000);
  return { path: { task_id: world.failed } };
}

/** A notification of the owner; each one is asked for once, since it may be dismissed. */
async function notification(world: World): Promise<Sent> {
  const task = await freshTask(world);
  await execute(owner(world), task);
  for (let n = 0; n < 200; n++) {
    const list = '/api/notifications/?page_size=100';
    const { items } = await owner(world).call<{ items: { id: string; task_id: string }[] }>('GET', list);
    const found = items.find(({ task_id }) => task_id === task);
    if (found) return { path: { notification_id: found.id } };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('nobody is notified of the end of a task');
}

/** One row per endpoint of the contract, by its name in the document. */
export const table: Readonly<Record<string, Row>> = {
  listAuditRecords: ['admins'],

  login: ['everybody', ({ users }) => ({ body: { username: users.owner.username, password: users.owner.password } })],
  logout: ['people', async (world, caller) => ({ ...(await spoilable(world, caller)), body: {} })],
  refreshToken: ['people', () => ({ body: {} })],

  executeCommand: ['writers', () => ({ body: { command: 'true' } })],
  listCommandHistory: ['signedIn'],
  listRunningCommands: ['signedIn'],
  listCommandSuggestions: ['signedIn', () => ({ query: { prefix: 'git' } })],
  validateCommand: ['signedIn', () => ({ body: { command: 'true' } })],
  cancelCommand: [
    'ownWrite',
    async (world) => ({ path: { command_id: await startCommand(owner(world), 'sleep 5') }, body: {} }),
  ],
  getCommandStatus: ['ownRead', ofCommand],
  streamCommand: ['ownRead', ofCommand],
  streamEvents: ['inProject', ({ project }) => ({ query: { channel: 'task_updates', project_id: project } })],

  getHealth: ['everybody'],
  getDetailedHealth: ['everybody'],
  getSystemInfo: ['signedIn'],

  listNotifications: ['signedIn'],
  readAllNotifications: ['signedIn', () => ({ body: {} })],
  readNotification: ['private', async (world) => ({ ...(await notification(world)), body: {} })],
  dismissNotification: ['private', notification],

  createProject: ['writers', () => ({ body: { name: 'Another' } })],
  listProjects: ['signedIn'],
  getProject: ['inProject', ofProject],
  updateProject: ['editors', withBody(ofProject, { description: 'Changed' })],
  deleteProject: ['owners', async (world) => ({ path: { project_id: await freshProject(world) } })],
  getProjectAnalytics: ['inProject', ofProject],
  cloneProject: ['copiers', withBody(ofProject, { name: 'Copy', include_tasks: false })],
  listMembers: ['inProject', ofProject],
  addMember: [
    'owners',
    async (world) => {
      const { id: user_id } = await createUser(world.platform);
      cleanups.push(() => owner(world).request('DELETE', `/api/projects/${world.project}/members/${user_id}`));
      return { ...ofProject(world), body: { user_id, role: 'owner' } };
    },
  ],
  updateMember: [
    'owners',
    async (world) => {
      const user_id = await freshMember(world);
      return { path: { project_id: world.project, user_id }, body: { role: 'owner' } };
    },
  ],
  removeMember: [
    'owners',
    async (world) => ({ path: { project_id: world.project, user_id: await freshMember(world) } }),
  ],
  listProjectTasks: ['inProject', ofProject],

  clearQueue: ['admins', () => ({ body: { queue_name: 'low_priority', confirm: true } })],
  listDeadLetters: ['admins'],
  replayDeadLetters: ['admins', () => ({ body: { ids: [] } })],
  getQueueMetrics: ['signedIn'],
  pauseQueue: ['admins', () => ({ body: { queue_name: 'low_priority' } })],
  resumeQueue: ['admins', () => ({ body: { queue_name: 'low_priority' } })],
  changeQueuePriority: ['writers', ({ task }) => ({ body: { task_ids: [task], priority: 'low' } })],
  getQueueStatus: ['signedIn'],

  createSession: ['inProject', ({ project }) => ({ body: { project_id: project } })],
  listSessions: ['signedIn'],
  getSession: ['private', ofSession],
  updateSession: ['private', withBody(ofSession, { settings: { theme: 'dark' } })],
  deleteSession: [
    'private',
    async (world) => {
      const { session_id } = await owner(world).call<{ session_id: string }>('POST', '/api/sessions/', {});
      return { path: { session_id } };
    },
  ],
  getSessionHistory: ['private', ofSession],
  restoreSession: [
    'private',
    (world) => {
      const restore_point = new Date().toISOString();
      return { ...ofSession(world), body: { restore_point, include_tasks: false, include_settings: true } };
    },
  ],

  startMaintenance: ['admins', () => ({ body: { starts_at: '2090-01-01T00:00:00Z' } })],
  endMaintenance: ['admins'],
  getMaintenance: ['signedIn'],

  createTask: ['editors', ({ project }) => ({ body: { title: 'Another', project_id: project } })],
  listTasks: ['inProject', ({ project }) => ({ query: { project_id: project } })],
  bulkUpdateTasks: [
    'writers',
    ({ task }) => ({ body: { operation: 'update_status', task_ids: [task], data: { status: 'pending' } } }),
  ],
  getTask: ['inProject', ofTask],
  updateTask: ['editors', withBody(ofTask, { description: 'Changed' })],
  deleteTask: ['editors', ofFreshTask],
  cancelTask: ['editors', withBody(ofFreshTask, {})],
  executeTask: ['editors', withBody(ofFreshTask, {})],
  getTaskExecution: ['inProject', ({ ended }) => ({ path: { task_id: ended } })],
  getTaskHistory: ['inProject', ofTask],
  retryTask: ['editors', withBody(ofFailed, {})],

  listUsers: ['admins'],
  createUser: [
    'admins',
    () => {
      const username = unique();
      return { body: { username, email: `${username}@example.com`, password: 'long enough', role: 'admin' } };
    },
  ],
  getUser: ['admins', ({ users }) => ({ path: { user_id: users.viewer.id } })],
  updateUser: [
    'admins',
    async ({ platform }) => ({ path: { user_id: (await createUser(platform)).id }, body: { role: 'admin' } }),
  ],
  listApiKeys: ['signedIn'],
  createApiKey: ['people', () => ({ body: { name: unique(), scopes: ['read'] } })],
  deleteApiKey: [
    'people',
    async ({ apis }, caller) => {
      const own = caller === 'anonymous' || caller === 'key' ? apis.owner : apis[caller];
      const made = await own.call<{ id: string }>('POST', '/api/users/api-keys', { name: unique(), scopes: ['read'] });
      cleanups.push(() => own.request('DELETE', `/api/users/api-keys/${made.id}`));
      return { path: { key_id: made.id } };
    },
  ],
  changePassword: [
    'people',
    async (world, caller) => {
      const { password, ...as } = await spoilable(world, caller);
      return { ...as, body: { current_password: password, new_password: 'another password' } };
    },
  ],
  updatePreferences: ['signedIn', () => ({ body: { theme: 'dark' } })],
  getProfile: ['signedIn'],

  createWebhook: [
    'owners',
    ({ project }) => ({
      body: { url: 'https://hooks.example.com/x', events: ['task.completed'], project_id: project },
    }),
  ],
  listWebhooks: ['ownersRead', ({ project }) => ({ query: { project_id: project } })],
  listEventTypes: ['signedIn'],
  getWebhook: ['ownRead', ofWebhook],
  updateWebhook: ['ownWrite', withBody(ofWebhook, { description: 'Changed' })],
  deleteWebhook: ['ownWrite', ofFreshWebhook],
  listDeliveries: ['ownRead', ofWebhook],
  getDelivery: ['ownRead', ({ webhook, delivery }) => ({ path: { webhook_id: webhook, delivery_id: delivery } })],
  redeliver: [
    'ownWrite',
    ({ webhook, delivery }) => ({ path: { webhook_id: webhook, delivery_id: delivery }, body: {} }),
  ],
  pauseWebhook: ['ownWrite', withBody(ofFreshWebhook, {})],
  startReplay: ['ownWrite', withBody(ofFreshWebhook, { since: new Date().toISOString() })],
  getReplay: [
    'ownRead',
    async (world) => {
      const webhook_id = await freshWebhook(world);
      const since = { since: new Date().toISOString() };
      const path = `/api/webhooks/${webhook_id}/replays`;
      const { id } = await owner(world).call<{ id: string }>('POST', path, since);
      return { path: { webhook_id, replay_id: id } };
    },
  ],
  resumeWebhook: [
    'ownWrite',
    async (world) => {
      const webhook_id = await freshWebhook(world);
      await owner(world).call('POST', `/api/webhooks/${webhook_id}/pause`, {});
      return { path: { webhook_id }, body: {} };
    },
  ],
  rotateSecret: ['ownWrite', withBody(ofFreshWebhook, {})],
  getWebhookStatistics: ['ownRead', ofWebhook],
  testWebhook: ['ownWrite', withBody(ofFreshWebhook, { event_type: 'task.completed' })],
};
