import type { AnyEvent } from '@claude-cli/shared/events';
import { updateBy } from '@claude-cli/shared/guarded-update';
import type { Context } from '../context.ts';
import type { Task } from '../tasks/task.ts';
import { cancelled } from './cancel-execution.ts';
import { close } from './end-execution.ts';
import type { CancelRequest, Execution, ExecutionEntry } from './execution.ts';
import { decisionOn } from './tell.ts';
import { followTasks } from './wait-for-dependencies.ts';

// The same as cancelWaiting for each of them, step by step for all: every write is guarded as there and carries in its outbox
// what it causes. So a few commands take the place of several per execution, and whatever dies in between, or does not match,
// is told as usual: by the flush of its outbox or by the sweep.

/** An execution that was just cancelled, and the entry that tells it. */
interface Cancelled {
  execution: Execution;
  news: ExecutionEntry;
}

/**
 * Cancel those of the executions that still wait as they were read. Resolves when their tasks have heard of it, as far as
 * nothing is in the way of that; what is left is told by the sweep.
 * @returns how many were cancelled
 */
export async function cancelManyWaiting(
  ctx: Context,
  waiting: readonly Execution[],
  cancel_request: CancelRequest,
): Promise<number> {
  const ended = await closeAll(ctx, waiting, cancel_request);
  const unheard = await tellTasks(ctx, ended).catch((err) => {
    ctx.log.warn({ err }, 'tasks hear later that their executions were cancelled');
    return [];
  });
  await Promise.all(unheard.map(({ execution }) => ctx.executionOutbox.flush(execution)));
  return ended.length;
}

async function closeAll({ executions, queues }: Context, waiting: readonly Execution[], cancel_request: CancelRequest) {
  const queued = waiting.filter(({ status }) => status === 'queued');
  const updates = queued.map((execution) => ({
    execution,
    update: close(execution, { ...cancelled, cancel_request }),
  }));
  if (updates.length === 0) return [];
  for (const execution of queued) queues.newlyReady.delete(execution);
  await executions.bulkWrite(
    updates.map(({ execution: { _id, status, generation }, update }) => ({
      updateOne: { filter: { _id, status, generation }, update },
    })),
    { ordered: false },
  );
  const news = new Map(updates.map(({ update }) => [update.$push.outbox.id, update.$push.outbox]));
  const after = await executions.find({ _id: { $in: queued.map(({ _id }) => _id) } }).lean();
  return after.flatMap((execution): Cancelled[] => {
    const mine = execution.outbox.find(({ id }) => news.has(id));
    return mine ? [{ execution, news: mine }] : [];
  });
}

/** @returns those whose tasks were changed by others at the same moment */
async function tellTasks(ctx: Context, ended: Cancelled[]): Promise<Cancelled[]> {
  const ids = ended.map(({ execution }) => execution.task_id);
  const tasks = new Map(
    (await ctx.tasks.find({ _id: { $in: ids }, deleted_at: null }).lean()).map((task) => [task._id, task]),
  );
  const events = new Set<string>();
  const updates = ended.flatMap(({ execution, news }) => {
    const task = tasks.get(execution.task_id);
    const decision = task && decisionOn(task, execution, news);
    if (!task || !decision) return [];
    for (const { id } of decision.events) events.add(id);
    return [{ updateOne: { filter: { _id: task._id, version: task.version }, update: updateBy(decision) } }];
  });
  if (updates.length > 0) await ctx.tasks.bulkWrite(updates as never, { ordered: false });
  const after = new Map(
    (await ctx.tasks.find({ _id: { $in: ids }, deleted_at: null }).lean()).map((task) => [task._id, task]),
  );
  const isHeard = ({ execution, news }: Cancelled) => {
    const task = after.get(execution.task_id);
    return !task || decisionOn(task, execution, news) === undefined;
  };
  const heard = ended.filter(isHeard);
  await ctx.executions.updateMany(
    { _id: { $in: heard.map(({ execution }) => execution._id) } },
    { $pull: { outbox: { id: { $in: heard.map(({ news }) => news.id) } } } },
  );
  await tellEvents(ctx, [...after.values()], events);
  return ended.filter((each) => !isHeard(each));
}

/** Tell what the tasks' outboxes say of it. Behind something that is untold yet, it has to be told in turn. */
async function tellEvents(ctx: Context, tasks: Task[], events: ReadonlySet<string>): Promise<void> {
  const mine: AnyEvent[] = [];
  for (const task of tasks) {
    const [first, ...more] = ctx.taskOutbox.untold(task);
    if (first && more.length === 0 && events.has(first.id)) mine.push(first);
    else if (first) void ctx.taskOutbox.flush(task);
  }
  if (mine.length === 0) return;
  const ids = mine.flatMap(({ data }) => ('task_id' in data && data.task_id ? [data.task_id] : []));
  await Promise.all(mine.map((event) => ctx.recorder.record(event)));
  await Promise.all(mine.map((event) => ctx.bus.publishEvent(event)));
  await followTasks(ctx, ids);
  await ctx.tasks.updateMany({ _id: { $in: ids } }, { $pull: { outbox: { id: { $in: mine.map(({ id }) => id) } } } });
}
