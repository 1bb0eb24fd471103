import { setTimeout as delay } from 'node:timers/promises';
import { at, createProject, createTasks, type Measured, watchTasks } from './platform.ts';

const warmUp = 30;
const timeoutMs = 20_000;
/** Pause after each execution, so that the next one finds a platform that does nothing, in milliseconds. */
const idleMs = Number(process.env.LATENCY_IDLE_MS ?? 300);

/** Milliseconds from POST execute, one execution at a time. */
export interface Latency {
  executions: number;
  /** The process reads the clock itself: what `date` takes to start is in it. */
  toStart: { p50: number; p99: number };
  /** The first output of a process that goes on arrives at a WebSocket that watches the project. */
  toOutput: { p50: number; p99: number };
}

/** How long it takes from asking for an execution until its process runs, and until its output is seen. */
export async function measureLatency(measured: Measured, executions: number): Promise<Latency> {
  const { api } = measured;
  const projectId = await createProject(api);
  using live = await watchTasks(measured, projectId);
  const taskIds = await createTasks(api, projectId, 'date +%s.%N; sleep 0.1', warmUp + executions);
  const toStart: number[] = [];
  const toOutput: number[] = [];
  for (const [n, taskId] of taskIds.entries()) {
    await delay(idleMs);
    const wallAtZero = clockOffset();
    const asked = wallAtZero + performance.now();
    // Output may arrive before the answer to the request.
    const answered = api.call('POST', `/api/tasks/${taskId}/execute`, { priority: 'high' });
    const where = ({ data }: { data?: Record<string, unknown> }) => data?.task_id === taskId;
    const output = await live.next({ type: 'command_output', where, timeoutMs, onOther: () => {} });
    const seen = wallAtZero + performance.now();
    await answered;
    await live.next({ type: 'task_completed', where, timeoutMs, onOther: () => {} });
    if (n < warmUp) continue;
    toStart.push(Number(output.data?.content) * 1000 - asked);
    toOutput.push(seen - asked);
  }
  return { executions, toStart: spread(toStart), toOutput: spread(toOutput) };
}

/**
 * What to add to performance.now() to have the time that processes read, in milliseconds: looked for anew each time, at the moment
 * at which a millisecond begins, because the system may correct its clock while this runs.
 */
function clockOffset(): number {
  const before = Date.now();
  let now = before;
  while (now === before) now = Date.now();
  return now - performance.now();
}

function spread(values: number[]): { p50: number; p99: number } {
  const sorted = values.toSorted((a, b) => a - b);
  return { p50: at(sorted, 0.5), p99: at(sorted, 0.99) };
}
