import { newId } from '@claude-cli/shared/ids';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Played, startPlayed, untimed } from '../testing/played.ts';
import { entry } from './execution.ts';
import type { Transition } from './transitions.ts';

describe('executions that are taken by one write', () => {
  let at: Played;
  beforeAll(async () => {
    at = await startPlayed({}, untimed);
  });
  afterAll(async () => at?.[Symbol.asyncDispose]());

  const queue = async (count: number) => {
    const ids: string[] = [];
    for (let n = 0; n < count; n++) ids.push((await at.runner.execute(await at.runner.newTask())).execution_id);
    return ids;
  };
  const takeOf = (_id = '', claim_id = newId()): Transition => ({
    guard: { _id, status: 'queued', generation: 0 },
    update: {
      $set: { status: 'running', lease: { runner_id: 'r', claim_id, expires_at: new Date() } },
      $inc: { generation: 1 },
      $push: { outbox: entry('started', 1) },
    },
  });

  test('each have an outcome of their own: what is gone and what was asked before keep nothing from the others', async () => {
    const { takes } = at.platform.ctx;
    const [first, second, third, fourth] = await queue(4);
    const [question, other] = [newId(), newId()];
    expect(await takes.add(takeOf(first, question))).toBe('taken');
    const outcomes = await Promise.all([
      takes.add(takeOf(second)),
      takes.add(takeOf(first)),
      // Its question has something else, or the very same already: that is not of this asking.
      takes.add(takeOf(second, question)),
      takes.add(takeOf(first, question)),
      takes.add(takeOf(third, question)),
      takes.add(takeOf(fourth, other)),
      takes.add(takeOf(fourth)),
    ]);
    expect(outcomes).toEqual(['taken', 'gone', 'gone', 'gone', 'asked before', 'taken', 'gone']);
    expect(await at.runner.stored(fourth ?? '')).toMatchObject({ status: 'running', lease: { claim_id: other } });
    expect(await at.runner.stored(third ?? '')).toMatchObject({ status: 'queued', generation: 0 });
  });

  test('are known as they are stored', async () => {
    const [queued = ''] = await queue(1);
    const waiting = await at.platform.ctx.executions.countDocuments({ status: 'queued' });
    const more_claim_ids = Array.from({ length: waiting - 1 }, () => newId());
    await at.runner.claim('normal', { claim_id: newId(), more_claim_ids });
    const { prompt: _none, command: _hidden, outbox: _told, ...stored } = await at.runner.stored(queued);
    expect(at.platform.ctx.knownRuns.get(queued)).toMatchObject(stored);
  });
});
