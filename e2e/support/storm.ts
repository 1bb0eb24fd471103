import { setTimeout as delay } from 'node:timers/promises';
import { serviceNames } from '../../scripts/platform/services.ts';
import { type Fault, faultsOf, shuffled } from './faults.ts';
import { drained, type Reckoning, reckon } from './reckoning.ts';
import type { Stage } from './stage.ts';
import { Workload } from './workload.ts';

/** How hard a platform is treated. */
export interface StormOptions {
  /** Executions that are asked for meanwhile. */
  executions: number;
  /** Faults, one after the other: all of them in an order of chance, again and again, until this time is over. */
  seconds: number;
  /** Longest pause between two of them, in milliseconds. */
  pauseMs: number;
  random: () => number;
  /** Which faults may happen. */
  allowed?: (fault: Fault) => boolean;
  /** How long what was accepted may take to end when all is calm again. */
  calmMs: number;
  /** Hears what happens. */
  say?: (line: string) => void;
}

/** What a storm was, and what it left. */
export interface StormReport extends Reckoning {
  /** How often each fault happened. */
  faults: Record<string, number>;
  /** Seconds from the last fault until nothing was queued or running any more. */
  calmAfter: number;
}

const servedWithinMs = 60_000;
const settleMs = 15_000;

/** Ask for executions while things go wrong; then let everything come back, and count. */
export async function storm(stage: Stage, projectId: string, options: StormOptions): Promise<StormReport> {
  const { executions, seconds, random, say = () => {} } = options;
  const workload = new Workload(stage.admin, projectId, stage.scratch, random);
  const over = AbortSignal.timeout((seconds + servedWithinMs / 1000 + options.calmMs / 1000) * 1000);
  await stage.secondRunner();
  const asking = workload.accept(executions, seconds * 1000, over).then(
    () => undefined,
    (cause: unknown) => cause,
  );
  const faults = await strikeAll(stage, workload, options);
  const lastFault = performance.now();
  await allBack(stage);
  const failed = await asking;
  say(`all is calm; ${workload.accepted.length} executions were accepted`);
  const left = await drained(stage.admin, options.calmMs);
  const calmAfter = (performance.now() - lastFault) / 1000;
  // What has not ended by now will not.
  const reckoning = await reckon(stage.admin, workload, left ? 0 : settleMs);
  if (failed) reckoning.wrong.push(`only ${workload.accepted.length} of ${executions} executions were accepted`);
  if (left) reckoning.wrong.push(`after ${options.calmMs / 1000} s of calm: ${left}`);
  return { ...reckoning, faults, calmAfter };
}

async function strikeAll(stage: Stage, workload: Workload, options: StormOptions): Promise<Record<string, number>> {
  const { random, pauseMs, seconds, allowed = () => true, say = () => {} } = options;
  const struck: Record<string, number> = {};
  const started = performance.now();
  const isOver = () => performance.now() - started > seconds * 1000;
  while (!isOver()) {
    for (const fault of shuffled(faultsOf(stage).filter(allowed), random)) {
      if (isOver()) break;
      await delay(pauseMs * random());
      if (random() < 0.3) void workload.cancelOne();
      try {
        await fault.strike(stage, random);
        struck[fault.name] = (struck[fault.name] ?? 0) + 1;
        say(`${((performance.now() - started) / 1000).toFixed(1)} s: ${fault.name}`);
      } catch (cause) {
        // What an earlier fault took away cannot be broken before it is back.
        say(`not possible now: ${fault.name} (${(cause as Error).message})`);
      }
    }
  }
  return struck;
}

/** Resolves when every part works again. */
export async function allBack({ platform, store, broker, secondRunner }: Stage): Promise<void> {
  const parts = [store, broker, await secondRunner()];
  await Promise.all(parts.map((part) => part?.ready()));
  await Promise.all(serviceNames.map((name) => platform.ready(name)));
}
