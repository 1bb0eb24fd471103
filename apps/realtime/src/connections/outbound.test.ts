import { metrics } from '@claude-cli/shared/telemetry/metrics';
import { expect, test } from '@jest/globals';
import { dataMessage, Encoded } from '../messages/encoded.ts';
import { Outbound } from './outbound.ts';

/** A way to a client that has room for so many messages. */
class NarrowPipe {
  room = Number.POSITIVE_INFINITY;
  readonly written: Encoded[] = [];

  get full(): boolean {
    return this.room <= 0;
  }

  set full(isFull: boolean) {
    this.room = isFull ? 0 : Number.POSITIVE_INFINITY;
  }

  write(message: Encoded): void {
    this.room -= 1;
    this.written.push(message);
  }

  get told(): unknown[] {
    return this.written.map(({ message }) => (message.data as { text?: string }).text ?? message);
  }
}

const text = (name: string, bytes = 0) => ({ text: name, filler: 'x'.repeat(bytes) });
const answer = (name: string, bytes = 0) => dataMessage('answer', text(name, bytes));
const progress = (task: string, percent: number) =>
  new Encoded({ type: 'task_update', data: text(`${task} ${percent}`) }, { replaces: task, replaceableBy: task });
const final = (task: string) => new Encoded({ type: 'task_update', data: text(`${task} done`) }, { replaces: task });
const output = (number: number, bytes = 0, command_id = 'c') =>
  new Encoded(
    { type: 'command_output', data: text(`${command_id}${number}`, bytes) },
    { droppable: { command_id, epoch: command_id, from: number, to: number } },
  );

const limits = { coalesceBytes: 200, dropOutputBytes: 2_000, disconnectBytes: 10_000 };

function open(own: Partial<typeof limits> = {}) {
  const pipe = new NarrowPipe();
  let givenUp = 0;
  const outbound = new Outbound(pipe, { ...limits, ...own }, () => (givenUp += 1));
  const flow = () => {
    pipe.full = false;
    outbound.flush();
  };
  return { pipe, outbound, flow, givenUp: () => givenUp };
}

test('what can be sent is sent at once, and what waits keeps its order', () => {
  const { pipe, outbound, flow } = open();
  outbound.send(answer('a'));
  pipe.full = true;
  for (const name of ['b', 'c']) outbound.send(answer(name));
  expect(pipe.told).toEqual(['a']);
  expect(outbound.bytes).toBeGreaterThan(0);
  flow();
  outbound.send(answer('d'));
  expect(pipe.told).toEqual(['a', 'b', 'c', 'd']);
  expect(outbound.bytes).toBe(0);
});

test('a newer state of a task takes the place of an older one that waits, but final states all arrive', () => {
  const { pipe, outbound, flow } = open();
  pipe.full = true;
  outbound.send(answer('much', 300));
  for (let percent = 1; percent <= 100; percent++) outbound.send(progress('t', percent));
  outbound.send(final('t'));
  outbound.send(progress('t', 0));
  outbound.send(progress('u', 1));
  flow();
  expect(pipe.told).toEqual(['much', 't done', 't 0', 'u 1']);
});

test('as long as little waits, every state is told', () => {
  const { pipe, outbound, flow } = open({ coalesceBytes: 100_000 });
  pipe.full = true;
  for (const percent of [1, 2, 3]) outbound.send(progress('t', percent));
  flow();
  expect(pipe.told).toEqual(['t 1', 't 2', 't 3']);
});

test('output that is too much is dropped, and a gap in its place says which pieces', () => {
  const { pipe, outbound, flow } = open();
  pipe.full = true;
  for (let number = 1; number <= 20; number++) outbound.send(output(number, 500));
  outbound.send(output(1, 500, 'other'));
  outbound.send(final('t'));
  flow();
  outbound.send(output(21));
  const gap = (command_id: string, from: number, to: number) =>
    expect.objectContaining({
      type: 'gap',
      data: { channel: 'command_output', dropped: to - from + 1, command_id, epoch: command_id, from, to },
    });
  expect(pipe.told).toEqual(['c1', 'c2', 'c3', 'c4', gap('c', 5, 20), gap('other', 1, 1), 't done', 'c21']);
});

test('each hole has its own gap, where it is', () => {
  const { pipe, outbound, flow } = open();
  pipe.full = true;
  for (let number = 1; number <= 5; number++) outbound.send(output(number, 900));
  expect(pipe.told).toEqual([]);
  pipe.room = 3;
  outbound.flush();
  for (let number = 6; number <= 9; number++) outbound.send(output(number, 900));
  flow();
  const holes = pipe.written.flatMap(({ message }) => (message.type === 'gap' ? [message.data] : []));
  expect(holes).toMatchObject([
    { from: 4, to: 5 },
    { from: 8, to: 9 },
  ]);
});

test('who lets even more wait is given up once, and nothing is kept', () => {
  const { pipe, outbound, givenUp } = open();
  pipe.full = true;
  for (let n = 0; n < 100; n++) outbound.send(answer('big', 1_000));
  expect(givenUp()).toBe(1);
  expect(outbound.bytes).toBe(0);
});

test('however much is sent, no more waits than the limit', () => {
  const { pipe, outbound } = open({ disconnectBytes: 1_000_000 });
  pipe.full = true;
  let most = 0;
  for (let number = 1; number <= 10_000; number++) {
    outbound.send(output(number, 100));
    outbound.send(progress('t', number));
    most = Math.max(most, outbound.bytes);
  }
  expect(most).toBeLessThan(limits.dropOutputBytes + 1_000);
});

test('whoever waits until little is left goes on when it is, or when the connection ends', async () => {
  const { pipe, outbound, flow } = open();
  await outbound.drained();
  const order: string[] = [];
  pipe.full = true;
  outbound.send(answer('a', 500));
  const drained = outbound.drained().then(() => order.push('drained'));
  await Promise.resolve();
  order.push('flow');
  flow();
  await drained;
  expect(order).toEqual(['flow', 'drained']);
  pipe.full = true;
  outbound.send(answer('b', 500));
  const ended = outbound.drained();
  outbound.end();
  await ended;
});

test('what is dropped, and who is given up, is counted', async () => {
  const names = ['live_messages_dropped_total', 'live_gaps_total', 'live_slow_clients_total'];
  const counts = () =>
    Promise.all(
      names.map(async (name) => (await metrics.getSingleMetric(name)?.get())?.values[0]?.value ?? Number.NaN),
    );
  const [dropped = 0, gaps = 0, slow = 0] = await counts();
  const { pipe, outbound } = open({ coalesceBytes: 200, dropOutputBytes: 500, disconnectBytes: 5_000 });
  pipe.full = true;
  outbound.send(answer('a', 600));
  for (const number of [1, 2, 3]) outbound.send(output(number));
  expect(await counts()).toEqual([dropped + 3, gaps + 1, slow]);
  outbound.send(answer('b', 6_000));
  expect(await counts()).toEqual([dropped + 3, gaps + 1, slow + 1]);
});
