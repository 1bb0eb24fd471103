import type {
  AwaitExecutionsRequest,
  AwaitedExecution,
  EndAwaitingRequest,
  EndAwaitingResponse,
} from '@claude-cli/proto/platform/v1/executions';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { requireIds } from './claim-execution.ts';
import { grantedBefore } from './take-turn.ts';
import { given } from './vacancies.ts';

/** Slots that one call may let wait, and for how many milliseconds. */
const most = { slots: 1_000, waitMs: 10_000 };

/** Give executions to a runner's free slots as soon as they become ready. */
export async function awaitExecutions(
  ctx: Context,
  { runner_id, claim_ids, wait_ms, maybe_granted }: AwaitExecutionsRequest,
  call: Call,
): Promise<AsyncIterable<AwaitedExecution>> {
  const since = performance.now();
  requireIds('runner_id', [runner_id]);
  requireIds('claim_ids', claim_ids, most.slots);
  return wait();

  async function* wait() {
    const before = maybe_granted ? await givenBefore(ctx, runner_id, claim_ids, since, call) : [];
    yield* before;
    const free = claim_ids.filter((id) => !before.some(({ claim_id }) => claim_id === id));
    if (wait_ms > 0) yield* ctx.vacancies.wait(runner_id, free, Math.min(most.waitMs, wait_ms), since, call);
  }
}

/** End the waits of a runner. */
export async function endAwaiting(ctx: Context, { runner_id }: EndAwaitingRequest): Promise<EndAwaitingResponse> {
  ctx.vacancies.end(runner_id);
  return {};
}

async function givenBefore(
  ctx: Context,
  runner_id: string,
  claim_ids: readonly string[],
  since: number,
  call: Call,
): Promise<AwaitedExecution[]> {
  const looked = claim_ids.map(async (claim_id) => {
    const waitedMs = performance.now() - since;
    const execution = await grantedBefore(ctx, { claim_id, runner_id });
    return execution ? [await given(ctx, claim_id, execution, waitedMs, call)] : [];
  });
  return (await Promise.all(looked)).flat();
}
