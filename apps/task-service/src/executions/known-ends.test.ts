import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type Played, startPlayed } from '../testing/played.ts';
import { close } from './end-execution.ts';
import { entry } from './execution.ts';
import { decisionOn } from './tell.ts';

describe('the end of a run', () => {
  let at: Played;
  beforeAll(async () => {
    at = await startPlayed();
  });
  beforeEach(() => at.runner.clear());
  afterAll(async () => at?.[Symbol.asyncDispose]());

  test('is told together with the start of the run where that was not told yet', async () => {
    const { ctx } = at.platform;
    const task_id = await at.runner.newTask();
    const about = await at.runner.run(task_id);
    const before = await ctx.tasks.findById(task_id).lean();
    await at.runner.report(about);
    await at.runner.taskBecomes(task_id, 'completed');
    const execution = await at.runner.stored(about.execution_id);
    if (!before) throw new Error('no task');
    const task = { ...before, status: 'pending', latest_run: { ...about, generation: 0, ended: false } } as const;
    const decision = decisionOn(task, execution, entry('ended', about.generation));
    expect(decision?.events.map(({ type, version }) => [type, version - task.version])).toEqual([
      ['task.started', 1],
      ['task.completed', 2],
    ]);
    const { started_at, finished_at: completed_at } = execution;
    expect(decision).toMatchObject({ versions: 2, set: { status: 'completed', started_at, completed_at } });
    const told = { ...task, latest_run: { ...about, ended: false } };
    expect(decisionOn(told, execution, entry('ended', about.generation))?.events).toHaveLength(1);
  });

  test('counts once of several reports that come at the same time, whatever else ends with it', async () => {
    const { ctx } = at.platform;
    const runs = [];
    for (let n = 0; n < 3; n++) runs.push(await at.runner.run(await at.runner.newTask()));
    const [twice, cancelled, once] = runs.map(({ execution_id }) => ctx.knownRuns.get(execution_id));
    if (!twice || !cancelled || !once) throw new Error('not known');
    const cancel_request = { by: 'u', reason: null, at: new Date() };
    await ctx.executions.updateOne({ _id: cancelled._id }, { $set: { cancel_request } });
    const reported = [twice, cancelled, once, twice];
    const ending = { status: 'completed', exit_code: 0, error: null, result: null } as const;
    const counted = await Promise.all(
      reported.map((known) => ctx.knownEnds.add({ known, update: close(known, ending) })),
    );
    expect(counted).toEqual([true, false, true, false]);
    const stored = await ctx.executions.find({ _id: { $in: reported.map(({ _id }) => _id) } }).lean();
    expect(stored.map(({ status, attempts }) => [status, attempts.length]).toSorted()).toEqual([
      ['completed', 1],
      ['completed', 1],
      ['running', 0],
    ]);
    for (const about of runs) await at.runner.report(about);
    for (const { task_id } of runs) await at.runner.taskBecomes(task_id, 'completed');
  });
});
