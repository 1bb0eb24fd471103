import { styleText } from 'node:util';
import { ApiClient } from './api-client.ts';
import { LiveConnection, type LiveMessage } from './live-connection.ts';
import { poll } from './platform/poll.ts';
import { sourceReport } from './source-report.ts';
import { isSignedWith, WebhookReceiver } from './webhook-receiver.ts';

/** What the main job needs. */
export interface MainJobOptions {
  /** Of the public door. */
  url: string;
  username: string;
  password: string;
  /** Source tree that the task reports on. */
  tree: string;
  /** Whether webhooks may lead to this machine, so that one can be received. */
  webhooks: boolean;
  say?: (line: string) => void;
}

/** What was seen of the run. */
export interface MainJobResult {
  taskId: string;
  executionId: string;
  /** Messages with output that arrived before the end of the run. */
  outputMessages: number;
  /** Milliseconds from the first to the last of them. */
  outputSpanMs: number;
  output: string;
}

interface Entity {
  id: string;
}

interface TaskDetail extends Entity {
  status: string;
  progress_percentage: number;
  actual_duration: string | null;
  started_at: string | null;
  completed_at: string | null;
}

interface Statistics {
  completed_tasks: number;
}

interface QueueMetrics {
  queues: { high_priority: { completed: number } };
}

interface HistoryEntry {
  action: string;
  details: { old_value?: unknown; new_value?: unknown };
}

interface StoredCommand {
  status: string;
  exit_code: number | null;
  output: { stream: string; content: string }[];
}

const runTimeoutMs = 60_000;
const settleTimeoutMs = 10_000;
// The report pauses between workspaces, so output that arrives in one go was not live.
const leastSpanMs = 500;

/**
 * The platform's main job, through its public doors only: a task is created and executed, its output is watched live, a
 * signed webhook tells of its end, and what the platform remembers of it is read back. @throws Error that names the first step that was not seen to happen
 */
export async function runMainJob({
  url,
  username,
  password,
  tree,
  webhooks,
  say = console.log,
}: MainJobOptions): Promise<MainJobResult> {
  const step = stepper(say);
  const visitor = new ApiClient(url);
  const token = await step(`log in as ${username}`, async () => {
    return (await visitor.call<{ access_token: string }>('POST', '/api/auth/login', { username, password }))
      .access_token;
  });
  const api = visitor.as(token);
  const project = await step('create a project', () => {
    return api.call<Entity>('POST', '/api/projects/', {
      name: 'Source report',
      description: 'How large is this platform?',
    });
  });
  const session = await step('open a session', () => {
    return api.call<{ session_id: string }>('POST', '/api/sessions/', { project_id: project.id });
  });
  const task = await step('create a task', () => {
    const title = "Count the lines of the platform's own source";
    return api.call<Entity>('POST', '/api/tasks/', { title, project_id: project.id, command: sourceReport(tree) });
  });
  await using receiver = webhooks ? await WebhookReceiver.open() : undefined;
  const hook = receiver && (await step('let a webhook tell of it', () => createHook(api, project.id, receiver.url)));
  using live = await step('connect to the live updates', () => LiveConnection.open(url, session.session_id));
  await step('authenticate there', () => live.authenticate(token));
  await step("subscribe to the project's tasks", () => live.subscribe('task_updates', project.id));
  const { execution_id } = await step('execute the task', () => {
    return api.call<{ execution_id: string }>('POST', `/api/tasks/${task.id}/execute`, { priority: 'high' });
  });
  const watched = await step('watch its output live until it is completed', () =>
    watchRun(live, task.id, execution_id, say),
  );
  if (receiver && hook) {
    await step('receive the signed webhook', () => receiveHook(receiver, hook.secret, task.id));
  }
  await step('read the task back', () => readTask(api, task.id));
  await step('read its history back', () => readHistory(api, task.id));
  await step('read its stored output back', () => readOutput(api, execution_id, watched.output));
  await step("read the project's statistics and the queue's metrics", () => readStatistics(api, project.id));
  return { taskId: task.id, executionId: execution_id, ...watched };
}

function stepper(say: (line: string) => void) {
  return async <T>(name: string, act: () => Promise<T>): Promise<T> => {
    const started = performance.now();
    const duration = () => styleText('gray', `${Math.round(performance.now() - started)} ms`);
    try {
      const result = await act();
      say(`${styleText('green', '✓')} ${name} ${duration()}`);
      return result;
    } catch (cause) {
      say(`${styleText('red', '✗')} ${name} ${duration()}`);
      throw new Error(`The main job failed at the step "${name}": ${(cause as Error).message}`, { cause });
    }
  };
}

async function watchRun(live: LiveConnection, taskId: string, executionId: string, say: (line: string) => void) {
  const arrivals: number[] = [];
  let output = '';
  let unfinishedLine = '';
  const onOther = ({ type, data }: LiveMessage) => {
    if (type === 'error') throw new Error(`the run failed: ${JSON.stringify(data)}`);
    if (type !== 'command_output' || data?.command_id !== executionId) return;
    arrivals.push(performance.now());
    output += data.content;
    const lines = (unfinishedLine + data.content).split('\n');
    unfinishedLine = lines.pop() ?? '';
    for (const line of lines) say(`  ${styleText('gray', '│')} ${line}`);
  };
  const where = ({ data }: LiveMessage) => data?.task_id === taskId;
  const completed = await live.next({ type: 'task_completed', where, onOther, timeoutMs: runTimeoutMs });
  const spanMs = Math.round((arrivals.at(-1) ?? 0) - (arrivals[0] ?? 0));
  expect(completed.data?.status === 'completed', 'task_completed says status completed', completed.data);
  expect(completed.data?.exit_code === 0, 'task_completed says exit_code 0', completed.data);
  expect(arrivals.length > 1, 'more than one piece of output arrives before the end', { pieces: arrivals.length });
  expect(spanMs >= leastSpanMs, `output arrives over at least ${leastSpanMs} ms`, { spanMs });
  return { outputMessages: arrivals.length, outputSpanMs: spanMs, output };
}

async function readTask(api: ApiClient, taskId: string): Promise<void> {
  let task: TaskDetail | undefined;
  await poll(
    async () => {
      task = await api.call<TaskDetail>('GET', `/api/tasks/${taskId}`);
      return task.status === 'completed' || undefined;
    },
    { timeoutMs: settleTimeoutMs, intervalMs: 200 },
  );
  expect(task?.status === 'completed', 'its status is completed', task);
  expect(task.progress_percentage === 100, 'its progress is 100', task);
  expect(/^\d{2,}:\d{2}:\d{2}$/.test(task.actual_duration ?? ''), 'its actual_duration is HH:MM:SS', task);
  expect(
    Date.parse(task.started_at ?? '') <= Date.parse(task.completed_at ?? ''),
    'it started before it completed',
    task,
  );
}

async function readHistory(api: ApiClient, taskId: string): Promise<void> {
  const wanted = ['created', 'pending→running', 'running→completed'];
  let seen: string[] = [];
  const complete = await poll(
    async () => {
      const { history } = await api.call<{ history: HistoryEntry[] }>('GET', `/api/tasks/${taskId}/history`);
      seen = history.map(({ action, details }) =>
        action === 'status_changed' ? `${details.old_value}→${details.new_value}` : action,
      );
      return wanted.every((entry) => seen.includes(entry)) || undefined;
    },
    { timeoutMs: settleTimeoutMs, intervalMs: 200 },
  );
  expect(complete, `it holds ${wanted.join(', ')}`, seen);
}

async function readOutput(api: ApiClient, executionId: string, streamed: string): Promise<void> {
  let command: StoredCommand | undefined;
  await poll(
    async () => {
      command = await api.call<StoredCommand>('GET', `/api/commands/${executionId}/status`);
      return command.status !== 'running' || undefined;
    },
    { timeoutMs: settleTimeoutMs, intervalMs: 200 },
  );
  const stored = command?.output.map(({ content }) => content).join('');
  expect(command?.status === 'completed', 'its status is completed', command?.status);
  expect(command.exit_code === 0, 'its exit_code is 0', command.exit_code);
  expect(stored === streamed, 'it is the text that was streamed', { stored, streamed });
}

function createHook(api: ApiClient, project_id: string, url: string): Promise<{ secret: string }> {
  return api.call('POST', '/api/webhooks/', { url, events: ['task.completed'], project_id });
}

async function receiveHook(receiver: WebhookReceiver, secret: string, taskId: string): Promise<void> {
  const delivered = await receiver.next('task.completed', settleTimeoutMs);
  expect(delivered, 'task.completed is delivered', delivered);
  expect(isSignedWith(delivered, secret), 'its signature is right', delivered.headers);
  const body = JSON.parse(delivered.body) as { data: { task_id: string } };
  expect(body.data.task_id === taskId, 'it is about the task', body);
}

async function readStatistics(api: ApiClient, projectId: string): Promise<void> {
  let seen: { statistics?: Statistics; queue?: { completed: number } } = {};
  const right = await poll(
    async () => {
      const { statistics } = await api.call<{ statistics: Statistics }>('GET', `/api/projects/${projectId}`);
      const { queues } = await api.call<QueueMetrics>('GET', '/api/queues/metrics?period=1h');
      seen = { statistics, queue: queues.high_priority };
      return (statistics.completed_tasks === 1 && queues.high_priority.completed > 0) || undefined;
    },
    { timeoutMs: settleTimeoutMs, intervalMs: 200 },
  );
  expect(right, 'the project counts one completed task, and the queue at least one', seen);
}

function expect(holds: unknown, what: string, actual: unknown): asserts holds {
  if (!holds) throw new Error(`expected that ${what}, but got ${JSON.stringify(actual)}`);
}
