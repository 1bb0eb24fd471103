import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { expect, test } from '@jest/globals';
import { Harness } from '../testing/harness.ts';

/** A method of AMQP 0-9-1 about a queue, as it goes over the wire: class, method, two bytes that mean nothing, name. */
const methodOf = (classId: number, methodId: number, queue: string) =>
  Buffer.from([0, classId, 0, methodId, 0, 0, queue.length, ...Buffer.from(queue)]);

/** A way to a broker that ends each connection that reads a queue, until the queue is deleted. */
async function wayToBrokerThatLost(queue: string, broker: URL) {
  const [get, remove] = [methodOf(60, 70, queue), methodOf(50, 40, queue)];
  const met = { reads: 0, deleted: false };
  const server = createServer((near) => {
    const far = connect(Number(broker.port || 5672), broker.hostname);
    near.on('data', (data) => {
      met.deleted ||= data.includes(remove);
      if (met.deleted || !data.includes(get)) return;
      met.reads++;
      near.destroy();
    });
    near.on('error', () => {}).on('close', () => far.destroy());
    far.on('error', () => {}).on('close', () => near.destroy());
    near.pipe(far).pipe(near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(broker);
  url.port = String((server.address() as AddressInfo).port);
  return { met, url: url.href, [Symbol.asyncDispose]: async () => void server.close() };
}

test('a queue that the broker declares but has lost is made anew, and executions go on', async () => {
  await using harness = await Harness.start();
  const lost = harness.bus.names.executionQueue('high');
  await using way = await wayToBrokerThatLost(lost, new URL(String(harness.env.AMQP_URL)));
  await harness.runner({ AMQP_URL: way.url });
  const job = await harness.execute('true', { priority: 'normal' });
  expect(await harness.finished(job.execution_id)).toMatchObject({ status: 'completed' });
  expect(way.met).toEqual({ reads: 3, deleted: true });
  const later = await harness.execute('true', { priority: 'high' });
  expect(await harness.finished(later.execution_id)).toMatchObject({ status: 'completed' });
});
