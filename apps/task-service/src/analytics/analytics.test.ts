import { newId } from '@claude-cli/shared/ids';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Task } from '../tasks/task.ts';
import { someone, startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { newTask } from '../testing/requests.ts';
import { inSpan, medianDuration, timedIn } from './figures.ts';

const minute = 60_000;
const day = 24 * 60 * minute;

describe('the analytics of a project', () => {
  let platform: TestPlatform;
  let template: Task;

  beforeAll(async () => {
    platform = await startTestPlatform();
    const { id } = await platform.tasks.createTask(newTask(await newProject()), platform.admin);
    const stored = await platform.ctx.tasks.findById(id).lean();
    if (!stored) throw new Error('no task');
    template = { ...stored, outbox: [] };
  });
  afterAll(async () => {
    await platform[Symbol.asyncDispose]();
  });

  const newProject = async () => (await platform.projects.createProject({ name: 'Measured' }, platform.admin)).id;
  const store = (project_id: string, given: Partial<Task>[]) =>
    platform.ctx.tasks.insertMany(
      given.map((each) => ({ ...template, _id: newId(), project_id, ...each })),
      { lean: true },
    );
  const completed = (age: number, duration: number, given: Partial<Task> = {}): Partial<Task> => ({
    status: 'completed',
    created_at: new Date(Date.now() - age),
    completed_at: new Date(Date.now() - age + 2 * duration),
    actual_duration_ms: duration,
    ...given,
  });
  const ask = (project_id: string, period?: string, timezone?: string) =>
    platform.analytics.getProjectAnalytics(
      { project_id, ...(period && { period }), ...(timezone && { timezone }) },
      platform.admin,
    );

  test('of an empty project say nothing that is not known, and have one entry per day', async () => {
    const project_id = await newProject();
    for (const [period, days] of [
      ['7d', 7],
      ['30d', 30],
      ['90d', 90],
      ['1y', 365],
    ] as const) {
      const { task_trends, ...others } = await ask(project_id, period);
      expect(others).toEqual({
        project_id,
        period,
        timezone: 'UTC',
        summary: {
          total_tasks: 0,
          completed_tasks: 0,
          average_completion_time: undefined,
          productivity_score: 0,
        },
        performance_metrics: {
          average_task_duration: undefined,
          median_task_duration: undefined,
          completion_rate: 0,
          on_time_completion_rate: undefined,
        },
        team_performance: [],
      });
      const none = Array(days).fill(0);
      expect(task_trends).toMatchObject({ created_per_day: none, completed_per_day: none });
      expect(task_trends?.dates).toHaveLength(days);
      expect(task_trends?.dates.at(-1)).toBe(new Date().toISOString().slice(0, 10));
    }
    expect(await ask(project_id)).toMatchObject({ period: '30d' });
  });

  test('count what was created or ended in the time, per day and per person', async () => {
    const project_id = await newProject();
    const { user_id } = platform.admin.caller;
    const other = newId();
    const old = 400 * day;
    await store(project_id, [
      completed(2 * day, 10 * minute, { estimated_duration_ms: 10 * minute }),
      completed(2 * day, 20 * minute, { estimated_duration_ms: 15 * minute }),
      completed(day, 60 * minute, { assigned_to: other }),
      // Completed by hand, without a duration: its estimate says nothing.
      completed(day, minute, { actual_duration_ms: null, estimated_duration_ms: minute }),
      // Created long ago, failed yesterday.
      { status: 'failed', created_at: new Date(Date.now() - old), completed_at: new Date(Date.now() - day) },
      { status: 'pending', created_at: new Date(Date.now() - 2 * day) },
      // Not of the time, not there any more, or of another project.
      completed(old, minute),
      completed(day, minute, { deleted_at: new Date() }),
      completed(day, minute, { project_id: newId() }),
    ]);
    const answer = await ask(project_id, '7d', 'UTC');
    expect(answer.summary).toEqual({
      total_tasks: 6,
      completed_tasks: 4,
      average_completion_time: '00:45:30',
      // Completion 4 of 6, on time 1 of 2, success 4 of 5.
      productivity_score: 0.656,
    });
    expect(answer.performance_metrics).toEqual({
      average_task_duration: '00:30:00',
      median_task_duration: '00:20:00',
      completion_rate: 0.667,
      on_time_completion_rate: 0.5,
    });
    expect(answer.team_performance).toEqual([
      { user_id, user_name: 'admin', tasks_completed: 3, average_duration: '00:15:00', completion_rate: 0.6 },
      { user_id: other, user_name: other, tasks_completed: 1, average_duration: '01:00:00', completion_rate: 1 },
    ]);
    expect(answer.task_trends?.created_per_day.reduce((sum, n) => sum + n)).toBe(5);
    expect(answer.task_trends?.created_per_day.at(-3)).toBe(3);
    expect(answer.task_trends?.completed_per_day.reduce((sum, n) => sum + n)).toBe(4);
  });

  test('give each task to the day of the time zone, also at its edges', async () => {
    const project_id = await newProject();
    const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Pacific/Kiritimati'];
    const created = Array.from({ length: 200 }, (_, n) => ({ created_at: new Date(Date.now() - n * 45 * minute) }));
    await store(project_id, created);
    for (const timeZone of zones) {
      const { task_trends, timezone } = await ask(project_id, '7d', timeZone);
      const format = new Intl.DateTimeFormat('sv-SE', { timeZone });
      const expected = task_trends?.dates.map(
        (date) => created.filter(({ created_at }) => format.format(created_at) === date).length,
      );
      expect(task_trends?.created_per_day).toEqual(expected);
      expect(timezone).toBe(timeZone);
    }
  });

  test('take the time zone of the caller’s preferences when none is asked for', async () => {
    const { users, admin } = platform;
    const project_id = await newProject();
    await users.updatePreferences({ timezone: 'Pacific/Kiritimati', notifications: {} }, admin);
    const { timezone, task_trends } = await ask(project_id, '7d');
    expect(timezone).toBe('Pacific/Kiritimati');
    const today = new Date(Date.now() + 14 * 60 * minute).toISOString().slice(0, 10);
    expect(task_trends?.dates.at(-1)).toBe(today);
    await users.updatePreferences({ timezone: 'UTC', notifications: {} }, admin);
  });

  test.each([
    [[], undefined],
    [[3], 3],
    [[9, 1], 5],
    [[9, 1, 2], 2],
    [[4, 4, 1, 100], 4],
  ])('have the median of %j', async (durations, median) => {
    const project_id = await newProject();
    await store(
      project_id,
      durations.map((duration) => completed(day, duration)),
    );
    const span = { project_id, from: new Date(Date.now() - 2 * day), to: new Date() };
    expect(await medianDuration(platform.ctx, span, durations.length)).toBe(median);
  });

  test('are refused to outsiders, for unknown projects, and for what is no period or time zone', async () => {
    const project_id = await newProject();
    const outsider = platform.analytics.getProjectAnalytics({ project_id }, someone());
    await expect(outsider).rejects.toMatchObject({ code: 'PROJECT_ACCESS_DENIED' });
    await expect(ask(newId())).rejects.toMatchObject({ code: 'PROJECT_NOT_FOUND' });
    await expect(ask(project_id, '8d')).rejects.toMatchObject({ details: { field: 'period' } });
    await expect(ask(project_id, '7d', 'Mars/Olympus')).rejects.toMatchObject({ details: { field: 'timezone' } });
  });

  test('are answered by indexes, and medians without sorting', async () => {
    const { ctx } = platform;
    const span = { project_id: newId(), from: new Date(Date.now() - day), to: new Date() };
    const plans = [
      ctx.tasks.collection.find(inSpan(span, 'created_at')),
      ctx.tasks.collection.find(inSpan(span, 'completed_at')),
      ctx.tasks.collection.find(timedIn(span)).sort({ actual_duration_ms: 1 }),
    ];
    const winning = await Promise.all(
      plans.map(async (query) => JSON.stringify((await query.explain('queryPlanner')).queryPlanner.winningPlan)),
    );
    for (const plan of winning) {
      expect(plan).toContain('IXSCAN');
      expect(plan).not.toContain('COLLSCAN');
    }
    expect(winning[2]).not.toContain('"SORT"');
  });
});
