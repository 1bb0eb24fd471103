import { once } from 'node:events';
import type {
  AwaitExecutionsRequest,
  ClaimAnswer,
  ClaimExecutionRequest,
  Job,
  RenewLeaseRequest,
  ReportRunnerRequest,
} from '@claude-cli/proto/platform/v1/executions';
import { ExecutionServiceService } from '@claude-cli/proto/platform/v1/executions';
import { ProjectServiceService } from '@claude-cli/proto/platform/v1/projects';
import { PlatformError } from '@claude-cli/shared/errors';
import { type RunningGrpcServer, serve, startGrpcServer } from '@claude-cli/shared/grpc/server';
import type { Logger } from '@claude-cli/shared/logger';
import { testTrust } from '@claude-cli/shared/testing/trust';

/** Stands in for task-service and project-service, as the test decides. */
export class StandIn implements AsyncDisposable {
  /** Questions for executions, those of one call one by one. */
  readonly claims: ClaimExecutionRequest[] = [];
  /** How many questions each call asked. */
  readonly calls: number[] = [];
  /** Whether calls wait before they are answered. */
  gate: Promise<void> | undefined;
  /** Whether only the first question of a call is heard, as by an earlier version. */
  hearsOne = false;
  /** So many jobs that wait are told as a backlog. */
  backlogFrom = Number.POSITIVE_INFINITY;
  /** Calls by which free slots wait. */
  readonly waits: AwaitExecutionsRequest[] = [];
  /** Runners that ended their waits. */
  readonly endedWaits: string[] = [];
  /** Whether the next wait breaks off that is given something. */
  losesGiven = false;
  /** Whether waits go on although they are to end. */
  endsNoWaits = false;
  #endWaits = new AbortController();
  /** How many slots are free, by each wait. */
  readonly #waits = new Set<() => number>();
  readonly renewals: RenewLeaseRequest[] = [];
  /** What the next renewals wait for, one each. */
  readonly renewalGates: Promise<void>[] = [];
  readonly reports: ReportRunnerRequest[] = [];
  /** What was granted, in order. */
  readonly granted: { priority: string; execution_id: string }[] = [];
  /** Jobs that wait, by priority, in order. */
  readonly #waiting = new Map<string, Job[]>();
  /** What each question was granted: asked again, it is granted the same. */
  readonly #answers = new Map<string, Job>();
  /** Jobs for slots that wait. */
  readonly #offered: Job[] = [];
  #offer = Promise.withResolvers<void>();
  /** Questions whose answers are lost on their way. */
  lostAnswers = 0;
  /** How often a question that is asked again is answered before its first asking has come through. */
  overtaken = 0;
  /** Whether leases are renewed. */
  held = true;
  /** Whether calls fail. */
  away = false;
  /** Users who may see projects. */
  readonly members = new Set<string>();
  #server: RunningGrpcServer | undefined;

  static async start(log: Logger): Promise<StandIn> {
    const standIn = new StandIn();
    const { checkAccess } = ProjectServiceService;
    standIn.#server = await startGrpcServer({
      host: '127.0.0.1',
      port: 0,
      ctx: standIn,
      log,
      trust: testTrust,
      services: [
        serve<StandIn, typeof ExecutionServiceService>(ExecutionServiceService, {
          claimExecution: async (self, request) => {
            const { claim_id, more_claim_ids, ...about } = request;
            const ids = [claim_id, ...(self.hearsOne ? [] : more_claim_ids)];
            self.calls.push(1 + more_claim_ids.length);
            self.claims.push(...ids.map((id) => ({ ...about, claim_id: id, more_claim_ids: [] })));
            await self.gate;
            if (self.away) throw new PlatformError('SERVICE_UNAVAILABLE', 'away');
            const [first, ...more] = ids.map((id) => self.#answer(request.priority, id));
            if (self.lostAnswers-- > 0) throw new PlatformError('SERVICE_UNAVAILABLE', 'lost');
            const { verdict = 'none', job, granted_before = false } = first ?? {};
            return { verdict, job, granted_before, more, backlog: self.#backlog() };
          },
          awaitExecutions: async (self, request, { signal }) => {
            self.waits.push(request);
            if (self.away) throw new PlatformError('SERVICE_UNAVAILABLE', 'away');
            return self.#wait(request, signal);
          },
          endAwaiting: async (self, { runner_id }) => {
            self.endedWaits.push(runner_id);
            if (self.endsNoWaits) return {};
            self.#endWaits.abort();
            self.#endWaits = new AbortController();
            return {};
          },
          renewLease: async (self, request) => {
            self.renewals.push(request);
            await self.renewalGates.shift();
            if (self.away) throw new PlatformError('SERVICE_UNAVAILABLE', 'away');
            return { held: self.held };
          },
          reportRunner: async (self, request) => {
            self.reports.push(request);
            if (self.away) throw new PlatformError('SERVICE_UNAVAILABLE', 'away');
            return {};
          },
        }),
        serve<StandIn, { checkAccess: typeof checkAccess }>(
          { checkAccess },
          {
            checkAccess: async (self, request, call) => {
              if (self.members.has(call.caller.user_id)) return { role: 'owner', status: 'active' };
              throw new PlatformError('PROJECT_ACCESS_DENIED', 'no access', { project_id: request.project_id });
            },
          },
        ),
      ],
    });
    return standIn;
  }

  /** Let a job wait for its turn. */
  queue(priority: string, job: Job): void {
    this.#waiting.set(priority, [...(this.#waiting.get(priority) ?? []), job]);
  }

  #backlog(): string[] {
    return [...this.#waiting].flatMap(([priority, jobs]) => (jobs.length >= this.backlogFrom ? [priority] : []));
  }

  #answer(priority: string, claim_id: string): ClaimAnswer {
    const before = this.#answers.get(claim_id);
    if (before && this.overtaken-- > 0) return { claim_id, verdict: 'none', granted_before: false };
    if (before) return { claim_id, verdict: 'granted', job: before, granted_before: true };
    const job = this.#waiting.get(priority)?.shift();
    if (!job) return { claim_id, verdict: 'none', granted_before: false };
    this.#answers.set(claim_id, job);
    this.granted.push({ priority, execution_id: job.execution_id });
    return { claim_id, verdict: 'granted', job, granted_before: false };
  }

  async *#wait({ claim_ids, wait_ms, maybe_granted }: AwaitExecutionsRequest, signal: AbortSignal | undefined) {
    const since = performance.now();
    for (const claim_id of maybe_granted ? claim_ids : []) {
      const job = this.#answers.get(claim_id);
      if (job && this.overtaken-- > 0) continue;
      if (job) yield { claim_id, job, waited_ms: 0 };
    }
    const over = AbortSignal.any([this.#endWaits.signal, AbortSignal.timeout(wait_ms), ...(signal ? [signal] : [])]);
    const ended = once(over, 'abort');
    const isFree = (id: string) => !this.#answers.has(id) && !over.aborted;
    this.#waits.add(() => claim_ids.filter(isFree).length);
    while (!over.aborted) {
      const claim_id = claim_ids.find(isFree);
      const job = claim_id && this.#offered.shift();
      if (!job) {
        await Promise.race([this.#offer.promise, ended]);
        continue;
      }
      this.#answers.set(claim_id, job);
      if (this.losesGiven) {
        this.losesGiven = false;
        throw new PlatformError('SERVICE_UNAVAILABLE', 'broken off');
      }
      yield { claim_id, job, waited_ms: Math.floor(performance.now() - since) };
    }
  }

  /** Slots that wait and were given nothing. */
  get waiting(): number {
    return [...this.#waits].reduce((sum, count) => sum + count(), 0);
  }

  /** Take a question for one that was not answered, as a replica does that another one has answered it for. */
  forget(claim_id: string): void {
    this.#answers.delete(claim_id);
  }

  /** Grant a job to a question without a word, as an answer that is lost does. */
  grantUnheard(claim_id: string, job: Job): void {
    this.#answers.set(claim_id, job);
  }

  /** Give a job to a slot that waits. */
  offer(job: Job): void {
    this.#offered.push(job);
    this.#offer.resolve();
    this.#offer = Promise.withResolvers();
  }

  reset(): void {
    this.waits.length = 0;
    this.#waits.clear();
    this.#offered.length = 0;
    this.endedWaits.length = 0;
    this.losesGiven = false;
    this.endsNoWaits = false;
    this.claims.length = 0;
    this.calls.length = 0;
    this.gate = undefined;
    this.hearsOne = false;
    this.backlogFrom = Number.POSITIVE_INFINITY;
    this.granted.length = 0;
    this.#waiting.clear();
    this.lostAnswers = 0;
    this.overtaken = 0;
    this.renewals.length = 0;
    this.renewalGates.length = 0;
    this.reports.length = 0;
    this.held = true;
    this.away = false;
  }

  get address(): string {
    return `127.0.0.1:${this.#server?.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.stop(100);
  }
}
