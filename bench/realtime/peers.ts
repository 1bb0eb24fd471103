import { type ChildProcess, fork, spawn } from 'node:child_process';
import { Bus } from '@claude-cli/shared/amqp/bus';
import { newEvent } from '@claude-cli/shared/events';
import { newId } from '@claude-cli/shared/ids';
import { createLogger } from '@claude-cli/shared/logger';
import { testEnvironment } from '@claude-cli/shared/testing/environment';
import { migrated } from '@claude-cli/shared/testing/migrated';
import { signToken } from '@claude-cli/shared/tokens';
import { database } from '../../apps/realtime/src/database.ts';
import { startStubs, World } from '../../apps/realtime/src/testing/stubs.ts';
import type { Order } from './bare-servers.ts';
import type { Entrance } from './clients.ts';

/** A server to be measured. */
export interface Peer {
  name: string;
  /** Process that sends the messages. */
  pid: number | undefined;
  entrances: Entrance[];
  /** Have messages sent, to all clients or to the one with this number. */
  send(data: object[], to: number | 'all'): void;
}

/** A bare server in a process of its own. */
export async function startBare(role: 'ws' | 'socket.io', count: number, children: ChildProcess[]): Promise<Peer> {
  const child = fork(new URL('../realtime.ts', import.meta.url), [role]);
  children.push(child);
  const port = await new Promise<number>((resolve) =>
    child.once('message', (told: { port: number }) => resolve(told.port)),
  );
  const socketIo = { port, path: '/socket.io/?EIO=4&transport=websocket', hello: [{ text: '40', frames: 2 }] };
  const entrance = role === 'ws' ? { port, path: '/', hello: [] } : socketIo;
  return {
    name: `bare ${role}`,
    pid: child.pid,
    entrances: Array.from({ length: count }, () => entrance),
    send: (data, to) => void child.send({ data, to } satisfies Order),
  };
}

/** Realtime between stand-ins, behind the gateway and through its proxy. */
export async function startRealtime(
  count: number,
  servers: { MONGODB_URI: string; AMQP_URL: string },
  children: ChildProcess[],
  stack: AsyncDisposableStack,
): Promise<[behind: Peer, through: Peer]> {
  const { env } = stack.use(testEnvironment(servers));
  await migrated(env, database);
  const world = new World();
  const stubs = await startStubs(world);
  stack.defer(() => stubs.stop(0));
  const bus = stack.use(await Bus.connect(env.AMQP_URL ?? '', env.AMQP_PREFIX ?? '', createLogger('bench', 'warn')));
  const address = `127.0.0.1:${stubs.port}`;
  const addresses = {
    PROJECT_SERVICE_ADDRESS: address,
    TASK_SERVICE_ADDRESS: address,
    COMMAND_RUNNER_ADDRESS: address,
  };
  const settings = { ...env, ...addresses, LOG_LEVEL: 'info' };
  const realtime = await startService('realtime', settings, children);
  const gateway = await startService(
    'gateway',
    { ...settings, REALTIME_URL: `http://127.0.0.1:${realtime.port}` },
    children,
  );

  const users = Array.from({ length: count }, () => ({ id: newId(), session: newId(), project: newId() }));
  const everyone = newId();
  world.members.set(everyone, new Set(users.map(({ id }) => id)));
  for (const { id, session, project } of users) {
    world.sessions.set(session, id);
    world.members.set(project, new Set([id]));
  }
  const secrets = (env.JWT_SECRET ?? '').split(',');
  const entranceOf =
    (port: number) =>
    (user: (typeof users)[number]): Entrance => {
      const token = signToken(secrets, { id: user.id, username: 'bench', role: 'developer' }, 3600);
      const subscribe = (project_id: string) =>
        JSON.stringify({ type: 'subscribe', channel: 'task_updates', project_id });
      const hello = [JSON.stringify({ type: 'authenticate', token }), subscribe(everyone), subscribe(user.project)];
      return { port, path: `/ws/${user.session}`, hello: hello.map((text, index) => ({ text, frames: index + 1 })) };
    };
  const send = (data: object[], to: number | 'all') => {
    const project_id = to === 'all' ? everyone : (users[to]?.project ?? everyone);
    for (const each of data) {
      const facts = { title: 'bench', changes: [], execution_id: 'bench', ...each } as never;
      void bus.publishEvent(newEvent('task.progress', { actor: 'bench', project_id }, facts));
    }
  };
  const peer = (name: string, port: number): Peer => ({
    name,
    pid: realtime.pid,
    entrances: users.map(entranceOf(port)),
    send,
  });
  return [peer('realtime', realtime.port), peer('realtime, through the gateway', gateway.port)];
}

function startService(
  app: 'realtime' | 'gateway',
  env: Record<string, string>,
  children: ChildProcess[],
): Promise<{ port: number; pid: number | undefined }> {
  const main = new URL(`../../apps/${app}/src/main.ts`, import.meta.url).pathname;
  const child = spawn(process.execPath, [main], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  let output = '';
  return new Promise((resolve, reject) => {
    child.once('exit', () => reject(new Error(`${app} did not start:\n${output}`)));
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-10_000);
      const port = /"port":(\d+)/.exec(output)?.[1];
      if (port && /"msg":"ready"/.test(output)) resolve({ port: Number(port), pid: child.pid });
    });
  });
}
