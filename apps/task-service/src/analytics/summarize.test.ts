import { describe, expect, test } from '@jest/globals';
import type { EndedFigures } from './figures.ts';
import { summarize } from './summarize.ts';

const minute = 60_000;
const none = { also_created: 0, age_ms: 0, timed: 0, duration_ms: 0, estimated: 0, on_time: 0 };
const ended = (person: string, status: string, given: Partial<EndedFigures>): EndedFigures => ({
  _id: { person, status },
  count: 1,
  ...none,
  ...given,
});

describe('the figures of a time', () => {
  test('of a project without tasks are zero, and what cannot be known is left out', () => {
    expect(summarize([], [])).toEqual({
      summary: {
        total_tasks: 0,
        completed_tasks: 0,
        average_completion_time: undefined,
        productivity_score: 0,
      },
      performance: {
        average_task_duration: undefined,
        completion_rate: 0,
        on_time_completion_rate: undefined,
      },
      team: [],
      timed: 0,
    });
  });

  test('count a task that was created and ended in the time once, and one of before it, too', () => {
    const created = [{ _id: 'ada', count: 4 }];
    const rows = [
      ended('ada', 'completed', { count: 2, also_created: 1, age_ms: 60 * minute, timed: 1, duration_ms: 30 * minute }),
      ended('ada', 'failed', { also_created: 1 }),
      ended('bob', 'completed', { age_ms: 30 * minute, timed: 1, duration_ms: 10 * minute, estimated: 1 }),
      ended('bob', 'cancelled', {}),
    ];
    const { summary, performance, team, timed } = summarize(created, rows);
    expect(summary).toMatchObject({ total_tasks: 7, completed_tasks: 3, average_completion_time: '00:30:00' });
    expect(performance).toEqual({
      average_task_duration: '00:20:00',
      completion_rate: 0.429,
      on_time_completion_rate: 0,
    });
    expect(timed).toBe(2);
    expect(team).toEqual([
      { user_id: 'ada', tasks_completed: 2, average_duration: '00:30:00', completion_rate: 0.4 },
      { user_id: 'bob', tasks_completed: 1, average_duration: '00:10:00', completion_rate: 0.5 },
    ]);
  });

  test.each([
    [
      'all three rates',
      [ended('a', 'completed', { count: 3, estimated: 2, on_time: 1 }), ended('a', 'failed', {})],
      0.667,
    ],
    ['no estimates', [ended('a', 'completed', { count: 3 }), ended('a', 'failed', {})], 0.75],
    ['only cancelled tasks', [ended('a', 'cancelled', {})], 0],
    ['completed tasks only', [ended('a', 'completed', {})], 1],
  ])('with %s make the productivity score the mean of what is known', (_, rows, score) => {
    expect(summarize([], rows).summary.productivity_score).toBe(score);
  });

  test('show those with the most completed tasks first, and no more than 100', () => {
    const rows = Array.from({ length: 120 }, (_, n) => ended(`user-${n}`, 'completed', { count: n + 1 }));
    const { team } = summarize([{ _id: 'idle', count: 3 }], rows);
    expect(team).toHaveLength(100);
    expect(team[0]).toMatchObject({ user_id: 'user-119', tasks_completed: 120 });
    expect(team.at(-1)).toMatchObject({ user_id: 'user-20' });
  });
});
