import { AuthServiceService } from '@claude-cli/proto/platform/v1/auth';
import { CommandServiceService } from '@claude-cli/proto/platform/v1/commands';
import { type Maintenance, MaintenanceServiceService } from '@claude-cli/proto/platform/v1/maintenance';
import { ProjectServiceService } from '@claude-cli/proto/platform/v1/projects';
import { QueueServiceService } from '@claude-cli/proto/platform/v1/queues';
import { type RecordActivityRequest, SessionServiceService } from '@claude-cli/proto/platform/v1/sessions';
import { type ExecuteTaskRequest, TaskServiceService } from '@claude-cli/proto/platform/v1/tasks';
import { UserServiceService } from '@claude-cli/proto/platform/v1/users';
import { isAdmin, type Role } from '@claude-cli/shared/caller';
import { PlatformError } from '@claude-cli/shared/errors';
import type { RpcDefinition } from '@claude-cli/shared/grpc/definition';
import {
  type Call,
  type Handlers,
  type RunningGrpcServer,
  type ServedService,
  startGrpcServer,
} from '@claude-cli/shared/grpc/server';
import { createLogger } from '@claude-cli/shared/logger';
import { testTrust } from '@claude-cli/shared/testing/trust';

/** A command, and what is stored of it. */
export interface StubbedCommand {
  user_id: string;
  task_id?: string;
  project_id?: string;
  /** Present run; the id of the command when absent. */
  run_id?: string;
  /** How it ended, with exit code 0. */
  status?: 'completed';
  stored?: { sequence: number; content: string }[];
}

/** What the services that stand in for the others know. */
export class World {
  /** From user to role, where it is not developer. */
  readonly roles = new Map<string, Role>();
  /** Users whose accounts are disabled. */
  readonly disabled = new Set<string>();
  maintenance: Maintenance = { status: 'none' };
  /** Preferences of users for notifications. */
  readonly preferences = new Map<string, Record<string, boolean>>();
  /** From session to user. */
  readonly sessions = new Map<string, string>();
  /** From project to members. */
  readonly members = new Map<string, Set<string>>();
  /** From task to project. */
  readonly tasks = new Map<string, string>();
  /** Commands by id. */
  readonly commands = new Map<string, StubbedCommand>();
  /** Entries of the histories of sessions. */
  readonly activities: RecordActivityRequest[] = [];
  /** Calls that arrived, as "method request-id". */
  readonly calls: string[] = [];
  /** How many executions wait in the queue of high priority. */
  waiting = 0;
  /** What happens when a task is executed. */
  onExecute: (request: ExecuteTaskRequest) => Promise<void> = async () => {};
}

function stub<Definition extends RpcDefinition>(
  definition: Definition,
  own: Partial<Handlers<Definition, World>>,
): ServedService<World> {
  const unimplemented = () => Promise.reject(new PlatformError('INTERNAL_SERVER_ERROR', 'not part of the test'));
  const handlers = Object.keys(definition).map((name) => [name, own[name] ?? unimplemented] as const);
  return { definition, handlers: Object.fromEntries(handlers) as ServedService<World>['handlers'] };
}

function seen(world: World, method: string, call: Call): void {
  world.calls.push(`${method} ${call.requestId}`);
}

function checkMember(world: World, projectId: string, call: Call): void {
  const members = world.members.get(projectId);
  if (!members) throw new PlatformError('PROJECT_NOT_FOUND', 'The project does not exist');
  if (!members.has(call.caller.user_id)) throw new PlatformError('PROJECT_ACCESS_DENIED', 'No access to the project');
}

/** Start gRPC services that answer from the world. */
export function startStubs(world: World): Promise<RunningGrpcServer> {
  const sessions = stub(SessionServiceService, {
    touchSession: async (_, { session_id }, call) => {
      seen(world, 'touchSession', call);
      const user_id = world.sessions.get(session_id);
      if (user_id === undefined || user_id !== call.caller.user_id) {
        throw new PlatformError('RESOURCE_NOT_FOUND', 'The session does not exist');
      }
      return { session_id, user_id, status: 'active' };
    },
    recordActivity: async (_, request) => {
      world.activities.push(request);
      return {};
    },
  });
  const auth = stub(AuthServiceService, {
    checkUser: async ({ roles, disabled }, { user_id }) => ({
      username: 'somebody',
      role: roles.get(user_id) ?? 'developer',
      tier: 'standard',
      disabled: disabled.has(user_id),
      token_version: 0,
      revoked_token_ids: [],
    }),
    checkApiKey: async () => {
      throw new PlatformError('AUTH_TOKEN_INVALID', 'The API key is not valid');
    },
  });
  const users = stub(UserServiceService, {
    getPreferences: async ({ preferences }, { user_id }) => ({
      preferences: { notifications: preferences.get(user_id) ?? {} },
    }),
  });
  const maintenance = stub(MaintenanceServiceService, { getMaintenance: async (world) => world.maintenance });
  const projects = stub(ProjectServiceService, {
    checkAccess: async (_, { project_id }, call) => {
      seen(world, 'checkAccess', call);
      checkMember(world, project_id, call);
      return { role: 'editor', status: 'active' };
    },
  });
  const tasks = stub(TaskServiceService, {
    getTask: async (_, { task_id }, call) => {
      const project_id = world.tasks.get(task_id);
      if (!project_id) throw new PlatformError('TASK_NOT_FOUND', 'The task does not exist', { task_id });
      checkMember(world, project_id, call);
      return {
        id: task_id,
        title: 'a task',
        description: '',
        project_id,
        status: 'pending',
        priority: 1,
        progress_percentage: 0,
        created_by: call.caller.user_id,
        tags: [],
        dependencies: [],
        history: [],
      };
    },
    executeTask: async (_, request, call) => {
      seen(world, 'executeTask', call);
      await world.onExecute(request);
      return { task_id: request.task_id, execution_id: request.task_id, status: 'queued', queue_position: 3 };
    },
  });
  const queues = stub(QueueServiceService, {
    getQueueStatus: async (world, _, call) => {
      seen(world, 'getQueueStatus', call);
      const empty = { size: 0, processing: 0, completed_today: 0, paused: false };
      return {
        queues: { high_priority: { ...empty, size: world.waiting }, normal_priority: empty, low_priority: empty },
        workers: { active: 1, idle: 3, total: 4 },
        performance: { tasks_per_minute: 0, average_processing_time: '00:00:00', success_rate: 1 },
      };
    },
    getQueueLoad: async (world, _, call) => {
      seen(world, 'getQueueLoad', call);
      return { tasks_per_minute: 15.5, high: world.waiting, normal: 12, low: 45 };
    },
  });
  const commands = stub(CommandServiceService, {
    readCommandOutput: async (_, { command_id, run_id, after, limit }, call) => {
      seen(world, 'readCommandOutput', call);
      const command = world.commands.get(command_id);
      if (!command || (command.user_id !== call.caller.user_id && !isAdmin(call.caller))) {
        throw new PlatformError('RESOURCE_NOT_FOUND', 'The command does not exist');
      }
      const { stored = [], run_id: present = command_id, status, task_id, project_id } = command;
      const about = { run_id: present, ...(task_id ? { task_id } : {}), ...(project_id ? { project_id } : {}) };
      const last = stored.at(-1)?.sequence ?? 0;
      if (run_id !== undefined && run_id !== present) return { ...about, last: 0, chunks: [], complete: true };
      const following = stored.filter(({ sequence }) => sequence > after).slice(0, limit);
      const complete = limit > 0 && (following.at(-1)?.sequence ?? last) === last;
      const chunks = following.map(({ sequence, content }) => ({
        sequence,
        pieces: [{ stream: 'stdout', content, timestamp: new Date().toISOString() }],
      }));
      const end = status && { sequence: last + 1, status, exit_code: 0 };
      return { ...about, last: end ? last + 1 : last, chunks, complete, ...(end && complete ? { end } : {}) };
    },
  });
  const services = [auth, users, maintenance, sessions, projects, tasks, queues, commands];
  const log = createLogger('stubs', 'silent');
  return startGrpcServer({ host: '127.0.0.1', port: 0, services, ctx: world, log, trust: testTrust });
}
