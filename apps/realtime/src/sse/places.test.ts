import { expect, test } from '@jest/globals';
import { Places, placesIn } from './places.ts';

const update = (epoch: string, seq: number) => ({ type: 'task_update', epoch, seq });

test('the id is the latest place of what is followed', () => {
  const places = new Places([{ epoch: 'e', seq: 4 }], false);
  expect(places.id).toBe('e:4');
  expect(places.after(update('e', 5))).toBe('e:5');
  expect(places.after({ type: 'gap' })).toBeUndefined();
  expect(places.id).toBe('e:5');
});

test('output that is heard with another channel, under numbers of its own, moves nothing', () => {
  const places = new Places([{ epoch: 'e', seq: 4 }], false);
  expect(places.after({ type: 'command_output', epoch: 'run', seq: 99 })).toBeUndefined();
  expect(places.id).toBe('e:4');
  const ofCommand = new Places([{ epoch: 'run', seq: 1 }], true);
  expect(ofCommand.after({ type: 'command_output', epoch: 'run', seq: 2 })).toBe('run:2');
});

test('where nothing is followed there is nothing to go on after', () => {
  const places = new Places([], true);
  expect(places.id).toBeUndefined();
  expect(places.after({ type: 'command_output', epoch: 'run', seq: 2 })).toBeUndefined();
});

test('several sequences have a place each, and epochs that were left are forgotten', () => {
  const places = new Places(
    [
      { epoch: 'mine', seq: 1 },
      { epoch: 'all', seq: 7 },
    ],
    false,
  );
  expect(places.after(update('mine', 2))).toBe('all:7,mine:2');
  for (const epoch of ['b', 'c', 'd']) places.after(update(epoch, 1));
  expect(placesIn(places.id ?? '')).toEqual([
    { epoch: 'mine', seq: 2 },
    { epoch: 'b', seq: 1 },
    { epoch: 'c', seq: 1 },
    { epoch: 'd', seq: 1 },
  ]);
});
