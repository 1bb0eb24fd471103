import { expect, test } from '@jest/globals';
import { LiveSubscriptions } from './live-subscriptions.ts';

const project = { channel: 'task_updates', project_id: 'p' };
const task = { channel: 'task_updates', task_id: 't' };
const message = (seq: number, epoch = 'e', data = {}) => ({ type: 'task_update', epoch, seq, data });

function granted(...wanted: (typeof project | typeof task)[]): LiveSubscriptions {
  const subscriptions = new LiveSubscriptions();
  for (const each of wanted) {
    subscriptions.add(each);
    subscriptions.granted(each, { ...each, epoch: 'e', seq: 10 }, false);
  }
  return subscriptions;
}

test('after a loss it goes on after what was heard', () => {
  const subscriptions = granted(project);
  for (const seq of [11, 12]) expect(subscriptions.hear(message(seq))).toBe(true);
  const request = { ...project, since: [{ epoch: 'e', seq: 12 }], caught_up: true };
  expect(subscriptions.again()).toEqual([{ wanted: project, request }]);
  expect(subscriptions.granted(project, { ...project, epoch: 'e', seq: 12, recovered: true }, true)).toBe(false);
  expect(subscriptions.hear(message(13))).toBe(true);
});

test('what two subscriptions hear of one epoch is told once, and nothing is skipped when the connection is lost again in between', () => {
  const subscriptions = granted(project, task);
  subscriptions.hear(message(11));
  subscriptions.again();
  // One is live again already and the other one still behind.
  expect(subscriptions.hear(message(50))).toBe(true);
  expect(subscriptions.hear(message(12))).toBe(true);
  expect(subscriptions.hear(message(12))).toBe(false);
  subscriptions.caughtUp(project);
  expect(subscriptions.again().map(({ request }) => request.since)).toEqual([
    [{ epoch: 'e', seq: 11 }],
    [{ epoch: 'e', seq: 11 }],
  ]);
  expect(subscriptions.hear(message(50))).toBe(false);
  expect(subscriptions.hear(message(13))).toBe(true);
  for (const each of [project, task]) subscriptions.caughtUp(each);
  expect(subscriptions.again()[0]?.request.since).toEqual([{ epoch: 'e', seq: 50 }]);
});

test('what is not to be had any more is to be loaded anew, and goes on from where the platform is', () => {
  const subscriptions = granted(project);
  subscriptions.again();
  expect(subscriptions.granted(project, { ...project, epoch: 'new', seq: 3, recovered: false }, true)).toBe(true);
  subscriptions.caughtUp(project);
  subscriptions.hear(message(4, 'new'));
  expect(subscriptions.again()[0]?.request.since).toEqual([{ epoch: 'new', seq: 4 }]);
});

test('what has no numbers is asked for without any, and has missed something; a state has not', () => {
  const subscriptions = new LiveSubscriptions();
  for (const wanted of [{ channel: 'command_output', project_id: 'p' }, { channel: 'queue_status' }]) {
    subscriptions.add(wanted);
    subscriptions.granted(wanted, wanted, false);
  }
  const again = subscriptions.again();
  expect(again.map(({ request }) => request)).toEqual(again.map(({ wanted }) => wanted));
  expect(again.map(({ wanted }) => subscriptions.granted(wanted, wanted, true))).toEqual([true, false]);
});

test('notifications go on after both their places', () => {
  const subscriptions = new LiveSubscriptions();
  const wanted = { channel: 'notifications' };
  subscriptions.add(wanted);
  subscriptions.granted(wanted, { ...wanted, epoch: 'mine', seq: 1, also: [{ epoch: 'all', seq: 7 }] }, false);
  subscriptions.hear(message(8, 'all'));
  expect(subscriptions.again()[0]?.request.since).toEqual([
    { epoch: 'mine', seq: 1 },
    { epoch: 'all', seq: 8 },
  ]);
});

test('another run of a command that is followed is gone on with; output of others is none of it', () => {
  const subscriptions = new LiveSubscriptions();
  const wanted = { channel: 'command_output', command_id: 'c' };
  subscriptions.add(wanted);
  subscriptions.granted(wanted, { ...wanted, epoch: 'run-1', seq: 0 }, false);
  subscriptions.hear(message(1, 'run-2', { command_id: 'c' }));
  subscriptions.hear(message(9, 'run-x', { command_id: 'x' }));
  expect(subscriptions.again()[0]?.request.since).toEqual([
    { epoch: 'run-1', seq: 0 },
    { epoch: 'run-2', seq: 1 },
  ]);
});

test('what is wanted no more is asked for no more', () => {
  const subscriptions = granted(project, task);
  subscriptions.remove(project);
  expect(subscriptions.again().map(({ wanted }) => wanted)).toEqual([task]);
});
