import { expect, jest, test } from '@jest/globals';
import { Encoded } from '../messages/encoded.ts';
import { TestSubscriber } from '../testing/listener.ts';
import { Hub, Listening } from './hub.ts';

const told = (type: string) => new Encoded({ type });

function listen(hub: Hub, subscriber: TestSubscriber, id: string): Listening {
  const subscription = { channel: 'task_updates', field: 'project_id', id, projectId: id, automatic: false } as const;
  const listening = new Listening(subscriber, subscription, undefined, 0);
  hub.add(listening);
  hub.attach(listening);
  return listening;
}

test('whoever hears one of the topics is sent a message once', () => {
  const hub = new Hub();
  const [one, two] = [new TestSubscriber(), new TestSubscriber()];
  const [a, b] = [listen(hub, one, 'a'), listen(hub, one, 'b')];
  listen(hub, two, 'b');
  hub.publish([a.topic, b.topic], () => [told('x')]);
  hub.publish([a.topic], () => [told('y')]);
  expect(one.heard.map(({ type }) => type)).toEqual(['x', 'y']);
  expect(two.heard.map(({ type }) => type)).toEqual(['x']);
});

test('messages are made once however many listen, and not at all when nobody does', () => {
  const hub = new Hub();
  const messages = jest.fn(() => [told('x')]);
  hub.publish(['nobody'], messages);
  expect(messages).not.toHaveBeenCalled();
  const listenings = Array.from({ length: 100 }, () => listen(hub, new TestSubscriber(), 'a'));
  hub.publish([listenings[0]?.topic ?? ''], messages);
  expect(messages).toHaveBeenCalledTimes(1);
});

test('a message is written once per wire format', () => {
  const message = told('x');
  const format = { write: jest.fn((_message: unknown, json: string) => `data: ${json}`) };
  expect([message.as(format), message.as(format)]).toEqual(['data: {"type":"x"}', 'data: {"type":"x"}']);
  expect(format.write).toHaveBeenCalledTimes(1);
  expect(message.bytes).toBe(message.bytes);
});

test('those who have subscribed to another topic, heard yet or not, can be left out', () => {
  const hub = new Hub();
  const [one, two] = [new TestSubscriber(), new TestSubscriber()];
  const [a, b] = [listen(hub, one, 'a'), listen(hub, one, 'b')];
  listen(hub, two, 'a');
  hub.publish([a.topic], () => [told('x')], b.topic);
  expect([one.heard.length, two.heard.length]).toEqual([0, 1]);
});

test('a subscription is heard from when it is attached until it ends', () => {
  const hub = new Hub();
  const subscriber = new TestSubscriber();
  const listening = listen(hub, subscriber, 'a');
  expect(hub.find(subscriber, listening.topic)).toBe(listening);
  expect(hub.remove(subscriber, listening.topic)).toBe(listening);
  expect(hub.remove(subscriber, listening.topic)).toBeUndefined();
  hub.attach(listening);
  hub.publish([listening.topic], () => [told('x')]);
  expect(subscriber.heard).toEqual([]);
  expect(hub.subscribers()).toEqual([]);
});
