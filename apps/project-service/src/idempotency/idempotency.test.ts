import type { BeginRequestRequest } from '@claude-cli/proto/platform/v1/idempotency';
import { isId, newId } from '@claude-cli/shared/ids';
import { planOf } from '@claude-cli/shared/testing/plan';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { maxAnswerBytes } from './finish-request.ts';
import { idOf, keptSeconds } from './kept-request.ts';

describe('requests with an idempotency key', () => {
  let platform: TestPlatform;

  beforeAll(async () => {
    platform = await startTestPlatform();
  });
  afterAll(async () => {
    await platform[Symbol.asyncDispose]();
  });

  const newKey = () => ({ user_id: newId(), key: 'order-1' });
  const begin = (key: ReturnType<typeof newKey>, given: Partial<BeginRequestRequest> = {}) => {
    const request = { fingerprint: 'f'.repeat(64), attempt_id: newId(), lease_ms: 30_000, ...key, ...given };
    return platform.idempotency.beginRequest(request, platform.visitor);
  };
  const finish = (key: ReturnType<typeof newKey>, attempt_id: string, answer: Uint8Array, status = 201) =>
    platform.idempotency.finishRequest({ ...key, attempt_id, status, answer }, platform.visitor);
  const abandon = (key: ReturnType<typeof newKey>, attempt_id: string, may_be_done = false) =>
    platform.idempotency.abandonRequest({ ...key, attempt_id, may_be_done }, platform.visitor);
  const age = (key: ReturnType<typeof newKey>, set: { lease_until?: Date; created_at?: Date }) =>
    platform.ctx.keptRequests.updateOne({ _id: idOf(key) }, { $set: set });

  test('of twenty attempts at once, exactly one begins, and the others learn until when to wait', async () => {
    const key = newKey();
    const answers = await Promise.all(Array.from({ length: 20 }, () => begin(key)));
    expect(answers.filter(({ verdict }) => verdict === 'begun')).toHaveLength(1);
    const others = answers.filter(({ verdict }) => verdict === 'in_progress');
    expect(others).toHaveLength(19);
    for (const { retry_at } of others) expect(Date.parse(retry_at ?? '')).toBeGreaterThan(Date.now());
    expect((await begin({ ...key, user_id: newId() })).verdict).toBe('begun');
  });

  test('the answer is repeated byte by byte, to the same request only', async () => {
    const key = newKey();
    const attempt_id = newId();
    const sealed = Uint8Array.from({ length: 256 }, (_, n) => n);
    expect(await begin(key, { attempt_id })).toMatchObject({ verdict: 'begun', status: 0 });
    await finish(key, attempt_id, sealed);
    // The same report, sent again because its answer was lost.
    await finish(key, attempt_id, sealed);
    const repeated = await begin(key);
    expect(repeated).toMatchObject({ verdict: 'answered', status: 201 });
    expect([...repeated.answer]).toEqual([...sealed]);
    expect(await begin(key, { fingerprint: 'e'.repeat(64) })).toMatchObject({ verdict: 'other_request', status: 0 });
    // What was answered is not given back.
    await abandon(key, attempt_id);
    expect((await begin(key)).verdict).toBe('answered');
  });

  test('an answer may be empty, or up to one mebibyte', async () => {
    const sizes = [0, maxAnswerBytes];
    for (const size of sizes) {
      const [key, attempt_id] = [newKey(), newId()];
      await begin(key, { attempt_id });
      await finish(key, attempt_id, new Uint8Array(size).fill(7), 204);
      const { status, answer } = await begin(key);
      expect([status, answer.byteLength, answer.every((byte) => byte === 7)]).toEqual([204, size, true]);
    }
    const [key, attempt_id] = [newKey(), newId()];
    await begin(key, { attempt_id });
    const large = finish(key, attempt_id, new Uint8Array(maxAnswerBytes + 1));
    await expect(large).rejects.toMatchObject({ code: 'VALIDATION_VALUE_TOO_LONG', details: { field: 'answer' } });
    expect((await begin(key)).verdict).toBe('in_progress');
  });

  test('a key that was given back is free, and only its holder can give it back or answer', async () => {
    const key = newKey();
    const attempt_id = newId();
    await begin(key, { attempt_id });
    await abandon(key, newId());
    const foreign = finish(key, newId(), new Uint8Array(1));
    await expect(foreign).rejects.toMatchObject({ code: 'RESOURCE_CONFLICT' });
    expect((await begin(key)).verdict).toBe('in_progress');
    expect((await begin(key, { attempt_id })).verdict).toBe('begun');
    await abandon(key, attempt_id);
    expect((await begin(key, { fingerprint: 'e'.repeat(64) })).verdict).toBe('begun');
    await expect(finish(key, attempt_id, new Uint8Array(1))).rejects.toMatchObject({ code: 'RESOURCE_CONFLICT' });
  });

  test('an attempt that died is taken over by one repetition, and has nothing to say any more', async () => {
    const key = newKey();
    const dead = newId();
    await begin(key, { attempt_id: dead });
    await age(key, { lease_until: new Date(Date.now() - 1) });
    expect((await begin(key, { fingerprint: 'e'.repeat(64) })).verdict).toBe('other_request');
    const answers = await Promise.all(Array.from({ length: 20 }, () => begin(key)));
    expect(answers.filter(({ verdict }) => verdict === 'begun')).toHaveLength(1);
    expect(answers.filter(({ verdict }) => verdict === 'in_progress')).toHaveLength(19);
    await expect(finish(key, dead, new Uint8Array(1))).rejects.toMatchObject({ code: 'RESOURCE_CONFLICT' });
    await abandon(key, dead);
    expect((await begin(key)).verdict).toBe('in_progress');
  });

  test('what a request creates has one id, and whoever takes over is told that it may be there', async () => {
    const key = newKey();
    const first = await begin(key);
    expect(first).toMatchObject({ verdict: 'begun', again: false });
    const dies = () => age(key, { lease_until: new Date(Date.now() - 1) });
    await dies();
    const attempt_id = newId();
    const second = await begin(key, { attempt_id });
    expect(second).toMatchObject({ verdict: 'begun', again: true, creates_id: first.creates_id });
    expect(await begin(key, { attempt_id })).toEqual(second);
    // It could do nothing; the one before may have.
    await abandon(key, attempt_id);
    expect(await begin(key)).toEqual(second);
    // Given back without knowing what was done: at once, and to the same request only.
    const open = newKey();
    const unanswered = newId();
    const { creates_id: opened } = await begin(open, { attempt_id: unanswered });
    await abandon(open, unanswered, true);
    expect((await begin(open, { fingerprint: 'e'.repeat(64) })).verdict).toBe('other_request');
    expect(await begin(open)).toMatchObject({ verdict: 'begun', again: true, creates_id: opened });
    const fresh = newKey();
    const gone = newId();
    const { creates_id } = await begin(fresh, { attempt_id: gone });
    await abandon(fresh, gone);
    expect(await begin(fresh)).toMatchObject({ again: false, creates_id: expect.not.stringContaining(creates_id) });
  });

  test('one that an earlier version left half done is taken over, and gets an id from then on', async () => {
    const key = newKey();
    await begin(key);
    const earlier = { $unset: { creates_id: 1, again: 1 }, $set: { lease_until: new Date(Date.now() - 1) } };
    await platform.ctx.keptRequests.updateOne({ _id: idOf(key) }, earlier);
    const attempt_id = newId();
    const { creates_id, again } = await begin(key, { attempt_id });
    expect([again, isId(creates_id)]).toEqual([true, true]);
    expect(await begin(key, { attempt_id })).toMatchObject({ again: true, creates_id });
  });

  test('after a day a key is free for one of those who want it, though the store has not removed it yet', async () => {
    const key = newKey();
    const attempt_id = newId();
    await begin(key, { attempt_id });
    await finish(key, attempt_id, new Uint8Array(1));
    await age(key, { created_at: new Date(Date.now() - keptSeconds * 1000) });
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => begin(key, { fingerprint: `${n % 2}`.repeat(64) })),
    );
    expect(answers.filter(({ verdict }) => verdict === 'begun')).toHaveLength(1);
    const { created_at, status } = (await platform.ctx.keptRequests.findById(idOf(key)).lean()) ?? {};
    expect(Date.now() - (created_at?.getTime() ?? 0)).toBeLessThan(60_000);
    expect(status).toBeNull();
  });

  test('a lease has a bound', async () => {
    for (const lease_ms of [0, -1, 3_600_001]) {
      const refused = begin(newKey(), { lease_ms });
      await expect(refused).rejects.toMatchObject({ httpStatus: 422, details: { field: 'lease_ms' } });
    }
  });

  test('keys are found by their id and removed by their age', async () => {
    const { collection } = platform.ctx.keptRequests;
    // MongoDB names a lookup of one _id apart.
    expect(await planOf(collection.find({ _id: 'x' as never }))).toMatch(/IXSCAN|IDHACK|EXPRESS_IXSCAN/);
    const indexes = await collection.indexes();
    expect(indexes).toContainEqual(expect.objectContaining({ key: { created_at: 1 }, expireAfterSeconds: 86_400 }));
  });
});
