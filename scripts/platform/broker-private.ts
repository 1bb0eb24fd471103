import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { probeAmqp } from './amqp-probe.ts';
import type { Broker, BrokerOptions } from './broker.ts';
import { type ChildOptions, spawnKept } from './child.ts';
import { freePorts } from './ports.ts';

import { findEpmd } from './programs.ts';
import { SetupError } from './setup-error.ts';
import { Supervised, superviseAll } from './supervised.ts';

// Erlang boots in two to four seconds; a loaded laptop may take ten times that.
const readyTimeoutMs = 180_000;
const graceMs = 15_000;

/** Start a RabbitMQ of our own: on loopback, on free ports, with everything that it keeps below the data directory. */
export async function startPrivateBroker(server: string, options: BrokerOptions): Promise<Broker> {
  const { dataDir, say, signal } = options;
  // RabbitMQ hands the path of its data to a shell without escaping it, and then waits forever.
  if (/["'`$\\]/.test(dataDir.path)) {
    throw new SetupError(
      `RabbitMQ cannot keep data in ${dataDir.path}: name a DATA_DIR without quotes, $ or backslashes.`,
    );
  }
  say(`starting ${server}`);
  const [amqpPort, distPort, epmdPort] = await freePorts(3);
  const home = join(dataDir.path, 'rabbitmq');
  const env = { ...withoutRabbitSettings(options.env), ...brokerEnv(home, Number(amqpPort), Number(distPort)) };
  const url = `amqp://guest:guest@127.0.0.1:${amqpPort}`;
  const child: Omit<ChildOptions, 'name' | 'onLine'> = { cwd: home, env, dataDir };
  const epmd = findEpmd(options.env);
  const parts: Supervised[] = [];
  if (epmd) {
    Object.assign(env, { ERL_EPMD_PORT: String(epmdPort), ERL_EPMD_ADDRESS: '127.0.0.1' });
    parts.push(
      new Supervised({
        name: 'epmd',
        start: (onLine) => spawnKept(epmd, ['-port', String(epmdPort)], { ...child, name: 'epmd', onLine }),
        isReady: async () => true,
        readyTimeoutMs,
        graceMs: 1_000,
        onGiveUp: options.onGiveUp,
      }),
    );
  }
  const part = new Supervised({
    name: 'rabbitmq',
    start: (onLine) => spawnKept(server, [], { ...child, name: 'rabbitmq', onLine }),
    isReady: async () => (await probeAmqp(url)) === 'ready',
    readyTimeoutMs,
    graceMs,
    onGiveUp: options.onGiveUp,
  });
  parts.push(part);
  const running = await superviseAll(parts, signal);
  return {
    url,
    description: `RabbitMQ of our own, 127.0.0.1:${amqpPort}`,
    part,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

function withoutRabbitSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(RABBITMQ_|ERL_|NOTIFY_SOCKET)/.test(name)));
}

/** Environment and files that keep it apart from any other RabbitMQ of the machine; the names are those of 3.10 and 4.x. */
function brokerEnv(home: string, amqpPort: number, distPort: number): NodeJS.ProcessEnv {
  mkdirSync(join(home, 'conf.d'), { recursive: true, mode: 0o700 });
  const file = (name: string, content: string) => {
    writeFileSync(join(home, name), content, { mode: 0o600 });
    return join(home, name);
  };
  return {
    // The Erlang cookie is made here.
    HOME: home,
    // The name is part of where the data lies, hence always the same; our own port mapper keeps it from being taken.
    RABBITMQ_NODENAME: 'claude_cli@localhost',
    RABBITMQ_MNESIA_BASE: join(home, 'data'),
    RABBITMQ_LOG_BASE: join(home, 'log'),
    RABBITMQ_CONFIG_FILE: file('rabbitmq.conf', `listeners.tcp.local = 127.0.0.1:${amqpPort}\n`),
    RABBITMQ_CONFIG_FILES: join(home, 'conf.d'),
    RABBITMQ_ADVANCED_CONFIG_FILE: file('advanced.config', '[].\n'),
    RABBITMQ_CONF_ENV_FILE: file('rabbitmq-env.conf', ''),
    RABBITMQ_ENABLED_PLUGINS_FILE: file('enabled_plugins', '[].\n'),
    RABBITMQ_DIST_PORT: String(distPort),
    // Its schedulers spin while they have nothing to do, which takes the processor from the services beside it:
    // https://www.rabbitmq.com/docs/runtime#busy-waiting
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
      '+sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}',
  };
}
