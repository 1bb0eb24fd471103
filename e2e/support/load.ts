import { setTimeout as delay } from 'node:timers/promises';
import { type Receiver, startReceiver } from '../../apps/webhook-dispatcher/src/testing/receiver.ts';
import { ClaudeCliClient } from '../../packages/sdk/src/client.ts';
import { poll } from '../../scripts/platform/poll.ts';
import type { TestPlatform } from './platform.ts';
import { createProject } from './tasks.ts';
import { Watcher } from './watcher.ts';

/** How much is asked of a platform. */
export interface LoadOptions {
  /** Executions per second, and reads per second; fewer where the machine cannot keep up. */
  executions: number;
  reads: number;
  watchers: number;
  /** How long a run takes at most, in seconds. */
  longestRun: number;
  random: () => number;
}

/** How long calls took, in milliseconds. */
export interface Latency {
  p50: number;
  p95: number;
  most: number;
}

/** What became of a load. */
export interface LoadReport {
  calls: number;
  /** Attempts of these calls by their outcome: a status, or 0 where there was no answer. */
  attempts: Record<string, number>;
  /** What was tried again: outcome, method and path, ids left out, and why. */
  repeated: Record<string, number>;
  executions: number;
  /** Messages that all watchers heard together, and how their connections ended. */
  messages: number;
  closed: Record<string, number>;
  /** Requests that came to the webhook, and how many of them were repetitions. */
  webhooks: number;
  repeatedWebhooks: number;
  /** Median and 95th percentile of what a call took from first to last attempt, and the longest, in milliseconds. */
  latency: Latency;
  /** Of the latest calls of each kind. */
  latencies: Record<string, Latency>;
  wrong: string[];
}

/** Of what is done so often per second, so much is under way at most: more would only measure how slow the machine is. */
const mostUnderWay = 10;
/** Durations of each kind of call that are kept, the latest. */
const latestKept = 200;
const finals = ['completed', 'failed', 'cancelled'];
const endings = ['task.completed', 'task.failed'];

/** Requests, executions, watchers and webhooks, again and again, with everything counted that a client could miss. */
export class Load implements AsyncDisposable {
  /** Milliseconds of each call, since this was emptied. */
  durations: number[] = [];
  readonly #options: LoadOptions;
  readonly #client: ClaudeCliClient;
  readonly #projectId: string;
  readonly #receiver: Receiver;
  readonly #watchers: Watcher[] = [];
  readonly #attempts: Record<string, number> = {};
  readonly #repeated: Record<string, number> = {};
  readonly #latest = new Map<string, number[]>();
  readonly #tasks = new Map<string, { execution: string; asked: number }>();
  readonly #wrong: string[] = [];
  readonly #stop = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #stack: AsyncDisposableStack;
  #calls = 0;

  private constructor(
    client: ClaudeCliClient,
    projectId: string,
    receiver: Receiver,
    options: LoadOptions,
    stack: AsyncDisposableStack,
  ) {
    this.#client = client;
    this.#projectId = projectId;
    this.#receiver = receiver;
    this.#options = options;
    this.#stack = stack;
  }

  /** Begin. The platform has to let webhooks lead to this machine. */
  static async start({ platform, admin }: TestPlatform, options: LoadOptions): Promise<Load> {
    await using stack = new AsyncDisposableStack();
    const receiver = stack.use(await startReceiver());
    const projectId = await createProject(admin, { max_tasks: 1_000_000 });
    const events = ['task.created', ...endings];
    await admin.call('POST', '/api/webhooks/', { url: receiver.url, project_id: projectId, events });
    const { url, adminUsername: username, adminPassword: password } = platform;
    const counted: typeof fetch = async (...request) => {
      const outcome = (status: number, why: () => string) => {
        count(load.#attempts, String(status));
        if (status === 0 || status >= 500) count(load.#repeated, why());
      };
      const asked = `${request[1]?.method} ${String(request[0]).replace(/^.*\/api|[0-9a-f-]{36}|\?.*/g, '')}`;
      try {
        const response = await fetch(...request);
        const text = response.status >= 500 ? await response.clone().text() : '';
        outcome(response.status, () => `${response.status} ${asked} ${text.slice(0, 200)}`);
        return response;
      } catch (cause) {
        outcome(0, () => `0 ${asked} ${(cause as Error & { cause?: { code?: string } }).cause?.code}`);
        throw cause;
      }
    };
    const credentials = { username, password };
    const client = new ClaudeCliClient({ baseURL: `${url}/api`, credentials, fetch: counted });
    const load = new Load(client, projectId, receiver, options, stack.move());
    for (let n = 0; n < options.watchers; n++) {
      const { session_id } = await admin.call<{ session_id: string }>('POST', '/api/sessions/', {});
      load.#watchers.push(load.#stack.use(await Watcher.start(url, session_id, String(admin.token), projectId)));
    }
    load.#repeat(options.executions, () => load.#execute());
    load.#repeat(options.reads, () => load.#read());
    return load;
  }

  /** Tasks that were executed so far. */
  get executions(): number {
    return this.#tasks.size;
  }

  /** What went wrong so far with what is known at once. */
  get failures(): number {
    return this.#wrong.length;
  }

  /** Ask for nothing more, let everything end, and reckon. @param settleMs how long that may take */
  async finish(settleMs: number): Promise<LoadReport> {
    this.#stop.abort();
    await Promise.all(this.#running);
    const wrong = [...this.#wrong];
    const ids = [...this.#tasks.keys()];
    const ended = () => {
      const told = this.#told(endings);
      const heard = this.#watchers.map((watcher) => new Set(watcher.completed()));
      return ids.every((id) => told.has(id) && heard.every((one) => one.has(id)));
    };
    await poll(() => ended() || undefined, { timeoutMs: settleMs, intervalMs: 250 });
    for (const id of ids) wrong.push(...(await this.#reckonTask(id)));
    for (const [index, watcher] of this.#watchers.entries()) {
      const heard = watcher.completed();
      const known = new Set(heard);
      const missing = ids.filter((id) => !known.has(id));
      if (missing.length > 0) wrong.push(`watcher ${index} did not hear the end of ${missing.length} tasks`);
      if (known.size < heard.length) wrong.push(`watcher ${index} heard the end of a task twice`);
      wrong.push(...watcher.wrong.map((what) => `watcher ${index}: ${what}`));
      wrong.push(...watcher.irregular().map((what) => `watcher ${index}: ${what}`));
    }
    for (const events of [['task.created'], endings]) {
      const told = this.#told(events);
      const missing = ids.filter((id) => !told.has(id));
      if (missing.length > 0) wrong.push(`${missing.length} tasks without the webhook ${events.join(' or ')}`);
    }
    const { received } = this.#receiver;
    const deliveries = new Set(received.map(({ headers }) => String(headers['x-delivery-id'])));
    return {
      calls: this.#calls,
      attempts: this.#attempts,
      repeated: this.#repeated,
      executions: ids.length,
      messages: this.#watchers.reduce((sum, { heard }) => sum + heard.length, 0),
      closed: together(this.#watchers.map(({ closed }) => closed)),
      webhooks: received.length,
      repeatedWebhooks: received.length - deliveries.size,
      latency: latencyOf(this.durations),
      latencies: Object.fromEntries([...this.#latest].map(([what, took]) => [what, latencyOf(took)])),
      wrong,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
    await this.#stack.disposeAsync();
  }

  /** Do something so often per second. */
  #repeat(perSecond: number, run: () => Promise<void>): void {
    const { signal } = this.#stop;
    const underWay = new Set<Promise<void>>();
    const loop = async () => {
      for (let due = performance.now(); !signal.aborted; due += 1000 / perSecond) {
        // What was not done in time is made up for, but not for longer than a second.
        due = Math.max(due, performance.now() - 1000);
        const early = due - performance.now();
        if (early > 0) await delay(early, undefined, { signal }).catch(() => {});
        if (underWay.size >= mostUnderWay) await Promise.race(underWay);
        if (!signal.aborted) keep(underWay, run());
      }
      await Promise.all(underWay);
    };
    keep(this.#running, loop());
  }

  /** A call with the repetitions of the SDK. @returns undefined when it failed nevertheless, which is noted */
  async #call<Answer>(what: string, call: () => Promise<Answer>): Promise<Answer | undefined> {
    const started = performance.now();
    this.#calls++;
    try {
      return await call();
    } catch (cause) {
      const { code, message } = cause as { code?: string; message: string };
      this.#wrong.push(`${what} failed: ${code ?? ''} ${message}`);
      return undefined;
    } finally {
      const took = performance.now() - started;
      this.durations.push(took);
      this.#latest.set(what, [...(this.#latest.get(what) ?? []), took].slice(-latestKept));
    }
  }

  async #execute(): Promise<void> {
    const seconds = (this.#options.random() * this.#options.longestRun).toFixed(2);
    const task = { title: 'Load', projectId: this.#projectId, command: `echo begun; sleep ${seconds}; echo ended` };
    const made = await this.#call('creating a task', () => this.#client.tasks.create(task));
    if (!made) return;
    const queued = await this.#call('executing a task', () => this.#client.tasks.execute(made.id, {}));
    if (queued) this.#tasks.set(made.id, { execution: queued.executionId, asked: performance.now() });
  }

  async #read(): Promise<void> {
    const client = this.#client;
    const [last] = [...this.#tasks.keys()].slice(-1);
    const reads: Record<string, () => Promise<unknown>> = {
      'listing tasks': () => client.tasks.list({ projectId: this.#projectId, pageSize: 10 }),
      'reading the project': () => client.projects.get(this.#projectId),
      'reading the queues': () => client.queues.status(),
      'listing webhooks': () => client.webhooks.list({ projectId: this.#projectId }),
      'listing running commands': () => client.commands.running(),
    };
    if (last !== undefined) {
      reads['reading a task'] = () => client.tasks.get(last);
      reads['reading a history'] = () => client.tasks.history(last);
    }
    const all = Object.entries(reads);
    const [what, read] = all[Math.floor(this.#options.random() * all.length)] ?? [];
    if (what && read) await this.#call(what, read);
  }

  /** Tasks of which the webhook was told one of these. */
  #told(events: readonly string[]): Set<string> {
    const fitting = this.#receiver.received.filter(({ headers }) => events.includes(String(headers['x-event-type'])));
    return new Set(fitting.map(({ body }) => JSON.parse(body).data.task_id as string));
  }

  /** Whether a task was completed, by one attempt. */
  async #reckonTask(id: string): Promise<string[]> {
    const { history } = await this.#client.tasks.history(id);
    const changes = history.filter(({ action }) => action === 'status_changed');
    const states = changes.map(({ details }) => String((details as Record<string, unknown>).new_value));
    const isRight = states.filter((state) => finals.includes(state)).join() === 'completed';
    const attempts = states.filter((state) => state === 'running').length;
    if (isRight && attempts === 1) return [];
    const { error } = await this.#client.tasks.execution(id);
    return [`task ${id} went through ${states.join(', ')}${error ? `: ${error}` : ''}`];
  }
}

function keep(among: Set<Promise<void>>, work: Promise<void>): void {
  const kept = work.finally(() => among.delete(kept));
  among.add(kept);
}

function count(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

function together(all: readonly Record<string, number>[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const [name, count] of all.flatMap((one) => Object.entries(one))) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}

/** Median, 95th percentile and longest of durations. */
export function latencyOf(durations: readonly number[]): Latency {
  const sorted = durations.toSorted((a, b) => a - b);
  const at = (share: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  return { p50: at(0.5), p95: at(0.95), most: at(1) };
}
