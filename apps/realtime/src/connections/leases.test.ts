import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { newId } from '@claude-cli/shared/ids';
import { freePort } from '@claude-cli/shared/testing/free-port';
import { until } from '@claude-cli/shared/testing/until';
import { afterEach, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import type { Limits } from '../limits.ts';
import { Platform, type Replica } from '../testing/platform.ts';

const isThere = spawnSync('redis-server', ['--version']).status === 0;
if (!isThere)
  process.stderr.write('no redis-server on this machine: counting connections across replicas is not tested\n');

let redis: ChildProcess | undefined;
let look: Redis | undefined;
afterEach(() => {
  look?.disconnect();
  redis?.kill('SIGKILL');
});

async function startRedis(port: number): Promise<void> {
  const options = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  redis = spawn('redis-server', options, { stdio: 'ignore' });
  await once(redis, 'spawn');
}

/** A client of the test's own, once so many replicas are connected. */
async function lookAt(port: number, replicas: number): Promise<Redis> {
  const client = new Redis(port);
  look = client;
  await until('all to be connected', async () => {
    return (
      String(await client.client('LIST'))
        .trim()
        .split('\n').length > replicas
    );
  });
  return client;
}

/** Two replicas with one Redis, once both are connected to it. */
async function startReplicas(limits: Partial<Limits>) {
  const port = await freePort();
  await startRedis(port);
  await using stack = new AsyncDisposableStack();
  const platform = stack.use(await Platform.start(limits, { REDIS_URL: `redis://127.0.0.1:${port}` }));
  const other = stack.use(await platform.startReplica());
  const counted = await lookAt(port, 2);
  const started = stack.move();
  return { port, platform, other, counted, [Symbol.asyncDispose]: () => started.disposeAsync() };
}

(isThere ? describe : describe.skip)('replicas with one Redis', () => {
  test('count the connections of a user together, and those of a replica that died only for a while', async () => {
    await using started = await startReplicas({ connectionsPerUser: 3, leaseMs: 1_500 });
    const { platform, other, counted } = started;
    const user = platform.user();
    const [first] = [await platform.signIn(user), await platform.signIn(user, other), await platform.signIn(user)];
    const refused = async (replica: Replica) => {
      const client = await platform.connect(user.session, {}, replica);
      const answer = await client.ask({ type: 'authenticate', token: platform.token(user) });
      client.socket.terminate();
      return answer.data.code;
    };
    expect(await refused(other)).toBe('RESOURCE_LIMIT_EXCEEDED');
    // They still count when the time is over for which the replicas said at first that they are there.
    const [key = ''] = await counted.keys('*');
    const ends = async () =>
      (await counted.zrange(key, 0, '-1', 'WITHSCORES')).filter((_, index) => index % 2).map(Number);
    const firstEnd = Math.max(...(await ends()));
    await until('it to be said again', async () => Math.min(...(await ends())) > firstEnd);
    await until('the first time to be over', () => Date.now() > firstEnd);
    expect(await refused(other)).toBe('RESOURCE_LIMIT_EXCEEDED');

    first.socket.close();
    await first.closed;
    await until('room', async () => (await refused(other)) === undefined);

    // A replica that died says nothing any more.
    for (const id of ['dead-1', 'dead-2', 'dead-3']) await other.ctx.leases.take('somebody', id);
    expect(await other.ctx.leases.take('somebody', 'new')).toBe(false);
    await until('its connections to be free', () => other.ctx.leases.take('somebody', 'new'));
  });

  test('do not go on counting a connection that is renewed while it is refused', async () => {
    await using started = await startReplicas({ connectionsPerUser: 1, leaseMs: 60_000 });
    const { platform, other, counted } = started;
    const user = platform.user();
    await platform.signIn(user);
    const client = await platform.connect(user.session, {}, other);
    const { connections, leases } = other.ctx;
    redis?.kill('SIGSTOP');
    const refusal = client.ask({ type: 'authenticate', token: platform.token(user) });
    await until('it to be asked for', () => connections.ofUser(user.id).length > 0);
    const renewal = leases.renew(connections.idsByUser());
    redis?.kill('SIGCONT');
    expect((await refusal).data.code).toBe('RESOURCE_LIMIT_EXCEEDED');
    await renewal;
    const [key = ''] = await counted.keys('*');
    expect(await counted.zcard(key)).toBe(1);
  });

  test('do not go on counting a connection that is released while others are renewed', async () => {
    await using started = await startReplicas({ leaseMs: 3_600_000 });
    const { platform, other, counted } = started;
    const [staying, going] = [platform.user(), platform.user()];
    await platform.signIn(staying, other);
    const leaving = await platform.signIn(going, other);
    const { connections, leases } = other.ctx;
    redis?.kill('SIGSTOP');
    const renewal = leases.renew(connections.idsByUser());
    leaving.socket.close();
    await until('it to be released', () => connections.ofUser(going.id).length === 0);
    redis?.kill('SIGCONT');
    await renewal;
    await leaving.closed;
    const keys = await until('its key to be gone', async () => {
      const left = await counted.keys('*');
      return left.length === 1 && left;
    });
    expect(await counted.zcard(keys[0] ?? '')).toBe(1);
  });

  test('count each for itself while Redis is away, and together again afterwards', async () => {
    await using started = await startReplicas({ connectionsPerUser: 2, leaseMs: 900 });
    const { port, platform, other } = started;
    const user = platform.user();
    await platform.signIn(user);
    await platform.signIn(user);
    expect(await other.ctx.leases.take(user.id, 'x')).toBe(false);
    redis?.kill('SIGKILL');
    await until('Redis to be missed', () => other.ctx.leases.take(user.id, 'x'));
    await platform.signIn(user, other);
    await startRedis(port);
    await until('both to be counted again', async () => !(await other.ctx.leases.take(user.id, newId())), 20_000);
  });
});
