import { readFileSync } from 'node:fs';
import type { ApiClient } from '../../scripts/api-client.ts';
import { poll } from '../../scripts/platform/poll.ts';
import type { Accepted, Mark, Workload } from './workload.ts';
import { marksIn } from './workload.ts';

/** What is counted when all is calm again. */
export interface Reckoning {
  accepted: number;
  completed: number;
  failed: number;
  cancelled: number;
  /** Tasks whose execution was asked for without an answer. */
  unclear: number;
  /** Claims of runners, by the history. */
  attempts: number;
  /** Processes that began, by the files that they write. */
  runs: number;
  /** Claims that came back into the queue, because their runner was lost. */
  repeated: number;
  /** What must not be, in words. Empty when nothing was lost and nothing done twice. */
  wrong: string[];
}

interface HistoryEntry {
  id: string;
  action: string;
  details: { old_value?: unknown; new_value?: unknown };
}

interface QueueStatus {
  queues: Record<string, { size: number; processing: number }>;
}

const finals = ['completed', 'failed', 'cancelled'];

/** Wait until nothing is queued and nothing runs. @returns what is left when the time is over */
export async function drained(api: ApiClient, timeoutMs: number): Promise<string | undefined> {
  let seen = 'nobody answers';
  const empty = await poll(
    async () => {
      const answer = await api.request('GET', '/api/queues/status').catch(() => undefined);
      if (answer?.status !== 200) return undefined;
      const queues = Object.values((answer.body.data as QueueStatus).queues);
      const [queued, running] = [sum(queues.map(({ size }) => size)), sum(queues.map((each) => each.processing))];
      seen = `${queued} queued, ${running} running`;
      return queued + running === 0 || undefined;
    },
    { timeoutMs, intervalMs: 500 },
  );
  return empty ? undefined : seen;
}

/** Count what became of a workload. @param settleMs how long the last news may take to arrive everywhere */
export async function reckon(api: ApiClient, workload: Workload, settleMs: number): Promise<Reckoning> {
  const counted: Reckoning = {
    ...{ accepted: workload.accepted.length, completed: 0, failed: 0, cancelled: 0 },
    ...{ unclear: workload.unclear.length, attempts: 0, runs: 0, repeated: 0, wrong: [] },
  };
  for (const execution of workload.accepted) await countOne(api, execution, counted, settleMs);
  for (const { taskId, file } of workload.unclear) {
    const status = await settledStatus(api, taskId, ['pending', ...finals], settleMs);
    const runs = runsOf(marksIn(file));
    // Not accepted, then nothing ran; or accepted, then it ended.
    if (status === 'pending' ? runs > 0 : !finals.includes(status)) {
      counted.wrong.push(`task ${taskId}, unclear, is ${status} after ${runs} runs`);
    }
  }
  return counted;
}

async function countOne(api: ApiClient, execution: Accepted, counted: Reckoning, settleMs: number): Promise<void> {
  const { taskId, executionId, attempts, cancelled, file } = execution;
  const wrong = (what: string) => void counted.wrong.push(`execution ${executionId} of task ${taskId}: ${what}`);
  const status = await settledStatus(api, taskId, finals, settleMs);
  if (status === 'completed' || status === 'failed' || status === 'cancelled') counted[status]++;
  else return wrong(`the task is ${status}`);
  if (cancelled && status !== 'cancelled') wrong(`it was cancelled, and is ${status}`);

  const changes = await settledChanges(api, taskId, status, settleMs);
  const chain = ['pending', ...changes.map(({ details }) => String(details.new_value))];
  const claims = chain.filter((each) => each === 'running').length;
  const marks = marksIn(file);
  const runs = runsOf(marks);
  counted.attempts += claims;
  counted.runs += runs;
  counted.repeated += chain.slice(1).filter((each) => each === 'pending').length;

  if (new Set(changes.map(({ id }) => id)).size !== changes.length) wrong('an entry of the history is there twice');
  if (!changes.every(({ details }, index) => details.old_value === chain[index])) wrong(`broken history: ${chain}`);
  if (chain.filter((each) => finals.includes(each)).length !== 1) wrong(`not one final state: ${chain}`);
  if (claims > attempts) wrong(`${claims} attempts, where ${attempts} were allowed`);
  if (runs > claims) wrong(`${runs} runs, but only ${claims} attempts`);
  if (status === 'completed' && marks.at(-1)?.what !== 'end')
    wrong('it is completed, but its process did not get through');
  if (runsOverlap(marks)) wrong(`two runs at once: ${marks.map(({ what, pid }) => `${what} ${pid}`)}`);
  for (const { pid } of marks) if (isOf(pid, executionId)) wrong(`its process ${pid} still runs`);

  const commandStatus = await settledCommand(api, executionId, settleMs);
  if (commandStatus === 'running') wrong('its command is still said to be running');
  if (status === 'completed' && commandStatus !== 'completed') wrong(`it is completed, its command ${commandStatus}`);
}

async function settledStatus(api: ApiClient, taskId: string, wanted: string[], timeoutMs: number): Promise<string> {
  let status = 'unknown';
  const ask = async () => {
    const { body } = await api.request('GET', `/api/tasks/${taskId}`);
    status = (body.data as { status: string } | null)?.status ?? String(body.error?.code);
    return wanted.includes(status) || undefined;
  };
  await poll(ask, { timeoutMs, intervalMs: 200 });
  return status;
}

/** The status of the command of an execution, once it is no longer said to be running; undefined where there is none. */
async function settledCommand(api: ApiClient, executionId: string, timeoutMs: number): Promise<string | undefined> {
  let status: string | undefined;
  const ask = async () => {
    const { body } = await api.request('GET', `/api/commands/${executionId}/status`);
    status = (body.data as { status: string } | null)?.status;
    return status !== 'running' || undefined;
  };
  await poll(ask, { timeoutMs, intervalMs: 200 });
  return status;
}

/** The changes of status, once the last one is among them. */
async function settledChanges(
  api: ApiClient,
  taskId: string,
  last: string,
  timeoutMs: number,
): Promise<HistoryEntry[]> {
  let changes: HistoryEntry[] = [];
  const ask = async () => {
    const { history } = await api.call<{ history: HistoryEntry[] }>('GET', `/api/tasks/${taskId}/history`);
    changes = history.filter(({ action }) => action === 'status_changed');
    return changes.some(({ details }) => details.new_value === last) || undefined;
  };
  await poll(ask, { timeoutMs, intervalMs: 200 });
  return changes;
}

function runsOf(marks: Mark[]): number {
  return marks.filter(({ what }) => what === 'start').length;
}

/** Whether one run got through after a later one had begun. */
function runsOverlap(marks: Mark[]): boolean {
  let latest: number | undefined;
  for (const { what, pid } of marks) {
    if (what === 'start') latest = pid;
    else if (pid !== latest) return true;
  }
  return false;
}

/** Whether a process runs and belongs to the execution; without /proc nothing can be said. */
function isOf(pid: number, executionId: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(executionId);
  } catch {
    return false;
  }
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
