import { readFileSync } from 'node:fs';
import type { ApiClient } from '../../scripts/api-client.ts';
import { poll } from '../../scripts/platform/poll.ts';
import { identify } from '../../scripts/platform/process-identity.ts';

/** A task as far as the tests look at it. */
export interface Task {
  id: string;
  status: string;
  progress_percentage: number;
  completed_at: string | null;
  execution_id: string | null;
}

/** A command as far as the tests look at it. */
export interface Command {
  command_id: string;
  status: string;
  exit_code: number | null;
  output: { stream: string; content: string }[];
  output_truncated: boolean;
}

/** An execution that was asked for. */
export interface Queued {
  task_id: string;
  execution_id: string;
  status: string;
}

/** A new project. @returns its id */
export async function createProject(api: ApiClient, resource_limits?: { max_tasks: number }): Promise<string> {
  return (await api.call<{ id: string }>('POST', '/api/projects/', { name: 'End to end', resource_limits })).id;
}

/** A new task that runs a shell command. @returns its id */
export async function createTask(api: ApiClient, projectId: string, command: string): Promise<string> {
  const body = { title: 'End to end', project_id: projectId, command };
  return (await api.call<{ id: string }>('POST', '/api/tasks/', body)).id;
}

/** Ask for an execution of a task. */
export function execute(api: ApiClient, taskId: string, options: Record<string, unknown> = {}): Promise<Queued> {
  return api.call<Queued>('POST', `/api/tasks/${taskId}/execute`, { options });
}

/** The task, once it has one of these statuses. @throws Error that tells the status it has when the time is over */
export async function taskWithStatus(
  api: ApiClient,
  taskId: string,
  statuses: string[],
  timeoutMs = 60_000,
): Promise<Task> {
  let seen = 'unknown';
  const task = await poll(
    async () => {
      // While a service restarts the door answers 5xx; that is not what is waited for.
      const { body } = await api.request('GET', `/api/tasks/${taskId}`);
      const found = body.data as Task | null;
      seen = found?.status ?? body.error?.code ?? seen;
      return found && statuses.includes(found.status) ? found : undefined;
    },
    { timeoutMs, intervalMs: 250 },
  );
  if (!task) throw new Error(`the task is ${seen} after ${timeoutMs / 1000} s, not ${statuses.join(' or ')}`);
  return task;
}

/** The command of an execution, once it no longer runs. */
export function endedCommand(api: ApiClient, executionId: string, timeoutMs = 60_000): Promise<Command> {
  return commandThat(({ status }) => status !== 'running', api, executionId, timeoutMs);
}

/** The command of an execution, once something that it wrote can be read. */
export function writingCommand(api: ApiClient, executionId: string, timeoutMs = 60_000): Promise<Command> {
  return commandThat(({ output }) => output.length > 0, api, executionId, timeoutMs);
}

async function commandThat(
  fits: (command: Command) => boolean,
  api: ApiClient,
  executionId: string,
  timeoutMs: number,
): Promise<Command> {
  let seen = 'unknown';
  const command = await poll(
    async () => {
      const { body } = await api.request('GET', `/api/commands/${executionId}/status`);
      const found = body.data as Command | null;
      seen = found?.status ?? body.error?.code ?? seen;
      return found && fits(found) ? found : undefined;
    },
    { timeoutMs, intervalMs: 250 },
  );
  if (!command) throw new Error(`the command is still ${seen} after ${timeoutMs / 1000} s`);
  return command;
}

/** What a command wrote, as one text. */
export function textOf(command: Command): string {
  return command.output.map(({ content }) => content).join('');
}

/** The process ids that a command wrote into a file, one in a line, once there are that many. */
export async function pidsIn(file: string, count: number): Promise<number[]> {
  const pids = await poll(
    () => {
      const lines = readOr(file).split('\n').filter(Boolean);
      return lines.length >= count ? lines.map(Number) : undefined;
    },
    { timeoutMs: 60_000 },
  );
  if (!pids) throw new Error(`no ${count} process ids in ${file}: "${readOr(file)}"`);
  return pids;
}

/** Those of the processes that still run when the time is over; none as soon as all are gone. */
export async function stillRunning(pids: number[], timeoutMs = 10_000): Promise<number[]> {
  const running = () => pids.filter((pid) => identify('command', pid));
  await poll(() => running().length === 0 || undefined, { timeoutMs });
  return running();
}

function readOr(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
