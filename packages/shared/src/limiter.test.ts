import { describe, expect, test } from '@jest/globals';
import { Limiter } from './limiter.ts';

/** Work that ends when it is told to. */
function work() {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const state = { begun: false, end: resolve, fail: reject, run: () => promise };
  state.run = () => {
    state.begun = true;
    return promise;
  };
  return state;
}

/** Resolves when everything that waits for what is settled already has gone on. */
const settled = () => new Promise(setImmediate);

describe('a limiter', () => {
  test('begins in order while less is under way than may be, and tells each its own result', async () => {
    const limiter = new Limiter(2);
    const works = [work(), work(), work(), work()];
    const results = works.map(({ run }) => limiter.run(1, run));
    expect(works.map(({ begun }) => begun)).toEqual([true, true, false, false]);
    works[1]?.end('second');
    expect(await results[1]).toBe('second');
    await settled();
    expect(works.map(({ begun }) => begun)).toEqual([true, true, true, false]);
  });

  test('counts what is heavy for more, yet begins it whatever it weighs', async () => {
    const limiter = new Limiter(10);
    const works = [work(), work(), work()];
    for (const [n, { run }] of works.entries()) void limiter.run(n === 1 ? 50 : 1, run);
    expect(works.map(({ begun }) => begun)).toEqual([true, true, false]);
    works[0]?.end('');
    await settled();
    expect(works[2]?.begun).toBe(false);
    works[1]?.end('');
    await settled();
    expect(works[2]?.begun).toBe(true);
  });

  test('goes on after what fails', async () => {
    const limiter = new Limiter(1);
    const [failing, next] = [work(), work()];
    const failed = limiter.run(1, failing.run);
    const done = limiter.run(1, next.run);
    failing.fail(new Error('broken'));
    await expect(failed).rejects.toThrow('broken');
    next.end('done');
    expect(await done).toBe('done');
  });
});
