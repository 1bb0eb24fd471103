import type { Priority } from '@claude-cli/shared/amqp/topology';
import { Batches, inGroups } from '@claude-cli/shared/batches';
import { openForMs, type QueueState, type QueueStateModel } from '../queues/queue-state.ts';
import { type BriefTask, longFields, type TaskModel } from '../tasks/task.ts';
import { driverOf, type Execution, type ExecutionModel, rankOf } from './execution.ts';

/** Of those in turn everything but what can be long and is not needed to decide. */
const inTurn = { prompt: 0, outbox: 0, result: 0, attempts: 0 } as const;
/** Executions that one claim looks at first; several that look together look at so many more each. */
const looked = { first: 8, each: 2 };
/** Reads that are done together at most. */
const most = 100;

/** One of the first in turn. */
export type Head = Omit<Execution, keyof typeof inTurn>;

/** Whether a queue lets executions start, and since which change. */
type Gate = Pick<QueueState, 'paused' | 'version'>;

/** What claims read. Those that are made at the same time read it together; each is answered by a read that began after it asked. */
export interface ClaimReads {
  /** The first in turn of a priority, and whether there may be more. */
  first(priority: Priority): Promise<{ heads: Head[]; isAll: boolean }>;
  /** The next ones behind those that were seen. */
  behind(priority: Priority, seen: readonly string[], limit: number): Promise<Head[]>;
  /** For an execution that was found before: an open gate may be some milliseconds old, see queue-state.ts. */
  gate(priority: Priority): Promise<Gate | undefined>;
  /** A task, unless it was deleted. */
  task(id: string): Promise<BriefTask | undefined>;
}

/** The reads of a database. */
export function openClaimReads(executions: ExecutionModel, states: QueueStateModel, tasks: TaskModel): ClaimReads {
  const headsOf = (priority: Priority, limit: number, seen: readonly string[] = []) =>
    driverOf(executions)
      .find(
        {
          status: 'queued',
          rank: rankOf(priority),
          waiting_for: 'turn',
          ...(seen.length > 0 && { _id: { $nin: seen } }),
        },
        { projection: inTurn, sort: { fair_at: 1, _id: 1 }, limit },
      )
      .toArray() as Promise<Head[]>;
  const first = new Batches<Priority, { heads: Head[]; isAll: boolean }>(
    (asked) =>
      inGroups(
        asked,
        (priority) => priority,
        async (same) => {
          const limit = looked.first + looked.each * (same.length - 1);
          const heads = await headsOf(same[0] ?? 'normal', limit);
          return same.map(() => ({ heads, isAll: heads.length < limit }));
        },
      ),
    { most },
  );
  const open = new Map<Priority, { gate: Gate; until: number }>();
  const gates = new Batches<Priority, Gate | undefined>(
    async (asked) => {
      const until = performance.now() + openForMs;
      const found = await states.find({ _id: { $in: [...new Set(asked)] } }, { paused: 1, version: 1 }).lean();
      for (const gate of found) if (!gate.paused) open.set(gate._id, { gate, until });
      return asked.map((priority) => found.find(({ _id }) => _id === priority));
    },
    { most },
  );
  const without = Object.fromEntries(longFields.map((field) => [field, 0]));
  const read = new Batches<string, BriefTask | undefined>(
    async (asked) => {
      const there = { _id: { $in: [...new Set(asked)] as never[] }, deleted_at: null };
      const found = await tasks.collection.find(there, { projection: { ...without, outbox: 0 } }).toArray();
      const byId = new Map(found.map((task) => [String(task._id), { ...task, outbox: [] } as unknown as BriefTask]));
      return asked.map((id) => byId.get(id));
    },
    { most },
  );
  return {
    first: (priority) => first.add(priority),
    behind: (priority, seen, limit) => headsOf(priority, limit, seen),
    gate: async (priority) => {
      const known = open.get(priority);
      return known && performance.now() < known.until ? known.gate : gates.add(priority);
    },
    task: (id) => read.add(id),
  };
}
