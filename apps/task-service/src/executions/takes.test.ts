import { newId } from '@claude-cli/shared/ids';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { taskService, timers } from '../service.ts';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { type PlayedRunner, playRunner } from '../testing/played-runner.ts';
import type { Take } from './takes.ts';

describe('executions that are taken by one write', () => {
  let platform: TestPlatform;
  let runner: PlayedRunner;

  beforeAll(async () => {
    const quiet = { ...taskService, runs: (taskService.runs ?? []).filter((run) => !timers.includes(run)) };
    platform = await startTestPlatform({}, quiet);
    runner = await playRunner(platform);
  });
  afterAll(async () => {
    await runner?.[Symbol.asyncDispose]();
    await platform?.[Symbol.asyncDispose]();
  });

  const queue = async (count: number) => {
    const ids: string[] = [];
    for (let n = 0; n < count; n++) ids.push((await runner.execute(await runner.newTask())).execution_id);
    return ids;
  };
  const takeOf = (_id = '', claim_id = newId()): Take => ({
    claim_id,
    guard: { _id, status: 'queued', generation: 0 },
    change: {
      $set: { status: 'running', lease: { runner_id: 'r', claim_id, expires_at: new Date() } },
      $inc: { generation: 1 },
    },
  });

  test('each have an outcome of their own: what is gone and what was asked before keep nothing from the others', async () => {
    const { takes } = platform.ctx;
    const [first, second, third, fourth] = await queue(4);
    const [question, other] = [newId(), newId()];
    expect(await takes.add(takeOf(first, question))).toBe('taken');
    const outcomes = await Promise.all([
      takes.add(takeOf(second)),
      takes.add(takeOf(first)),
      takes.add(takeOf(third, question)),
      takes.add(takeOf(fourth, other)),
      takes.add(takeOf(fourth)),
    ]);
    expect(outcomes).toEqual(['taken', 'gone', 'asked before', 'taken', 'gone']);
    expect(await runner.stored(fourth ?? '')).toMatchObject({ status: 'running', lease: { claim_id: other } });
    expect(await runner.stored(third ?? '')).toMatchObject({ status: 'queued', generation: 0 });
  });

  test('are known as they are stored', async () => {
    const [queued = ''] = await queue(1);
    const waiting = await platform.ctx.executions.countDocuments({ status: 'queued' });
    const more_claim_ids = Array.from({ length: waiting - 1 }, () => newId());
    await runner.claim('normal', { claim_id: newId(), more_claim_ids });
    const { prompt: _none, command: _hidden, outbox: _told, ...stored } = await runner.stored(queued);
    expect(platform.ctx.knownRuns.get(queued)).toMatchObject(stored);
  });
});
