import { setTimeout as delay } from 'node:timers/promises';
import type { ServiceName } from '../../scripts/platform/services.ts';
import type { Supervised } from '../../scripts/platform/supervised.ts';
import type { Stage } from './stage.ts';

/** Something that goes wrong. */
export interface Fault {
  name: string;
  /** Whether runs may be lost by it, so that an attempt is made again, or fails when it was the last. */
  losesRuns: boolean;
  /** Whether announcements of executions are lost by it, which takes as long to notice as a runner may take to hear of them. */
  losesMessages?: boolean;
  /** Let it happen. Resolves when it has, which is before everything works again. */
  strike(stage: Stage, random: () => number): Promise<void>;
}

/** How long a way is closed, or a process stands still: shorter than a lease, so that nothing is lost by it. */
const outageMs = 2_000;
/** A process that just died may not be back yet when it is to be struck again. */
const backWithinMs = 60_000;

const killed = (service: ServiceName, losesRuns = false): Fault => ({
  name: `${service} is killed`,
  losesRuns,
  async strike({ platform }) {
    await platform.ready(service);
    platform.kill(service);
  },
});

async function killPart(part: Supervised | undefined): Promise<void> {
  await part?.ready(AbortSignal.timeout(backWithinMs));
  part?.kill('SIGKILL');
}

/** Everything that may go wrong on a stage, without what would hit a store or broker that is not its own. */
export function faultsOf({ store, broker }: Stage): Fault[] {
  return [
    killed('gateway'),
    killed('realtime'),
    killed('project-service'),
    killed('task-service'),
    killed('command-runner', true),
    {
      name: 'the second runner is killed',
      losesRuns: true,
      strike: async ({ secondRunner }) => killPart(await secondRunner()),
    },
    {
      name: 'a runner is asked to end',
      losesRuns: true,
      async strike({ platform }) {
        await platform.ready('command-runner');
        platform.kill('command-runner', 'SIGTERM');
      },
    },
    {
      name: 'task-service stands still',
      losesRuns: false,
      async strike({ platform }) {
        await platform.ready('task-service');
        platform.kill('task-service', 'SIGSTOP');
        await delay(outageMs);
        platform.kill('task-service', 'SIGCONT');
      },
    },
    { name: 'all connections to the broker break', losesRuns: false, strike: async ({ link }) => link.cut() },
    { name: 'the broker cannot be reached', losesRuns: false, strike: ({ link }) => link.interrupt(outageMs) },
    { name: 'the broker is slow', losesRuns: false, strike: ({ link }) => link.hold(outageMs) },
    {
      name: 'messages come twice and in another order',
      losesRuns: false,
      strike: async ({ traffic }, random) => void (await traffic.repeat(random)),
    },
    {
      name: 'the queues of executions lose all messages',
      losesRuns: false,
      losesMessages: true,
      strike: ({ traffic }) => traffic.wipe('purge'),
    },
    {
      name: 'the queues of executions are deleted',
      losesRuns: false,
      losesMessages: true,
      strike: ({ traffic }) => traffic.wipe('delete'),
    },
    ...(store ? [{ name: 'the store is killed', losesRuns: true, strike: () => killPart(store) }] : []),
    ...(broker ? [{ name: 'the broker is killed', losesRuns: true, strike: () => killPart(broker) }] : []),
  ];
}

/** Numbers from 0 up to 1 that are the same for the same seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The list in an order of chance. */
export function shuffled<Value>(values: readonly Value[], random: () => number): Value[] {
  return values
    .map((value) => ({ value, place: random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ value }) => value);
}
