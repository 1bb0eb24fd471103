import { probeAmqp } from './amqp-probe.ts';
import { installRabbitMq } from './broker-install.ts';
import { startPrivateBroker } from './broker-private.ts';
import type { DataDir } from './data-dir.ts';
import { findRabbitMqServer } from './programs.ts';
import { SetupError } from './setup-error.ts';
import type { Supervised } from './supervised.ts';

/** A broker that answers. */
export interface Broker extends AsyncDisposable {
  url: string;
  /** Where it is, for people. */
  description: string;
  /** Its process, when it is one of our own. */
  part?: Supervised;
}

/** What finding a broker depends on. */
export interface BrokerOptions {
  env: NodeJS.ProcessEnv;
  dataDir: DataDir;
  say: (line: string) => void;
  onGiveUp: (error: SetupError) => void;
  signal?: AbortSignal | undefined;
  /** Rather one of our own than that of this machine, so that nothing is left on it. */
  preferPrivate?: boolean | undefined;
}

const localUrl = 'amqp://guest:guest@127.0.0.1:5672';

/** AMQP_URL, else the broker of this machine, else one of our own, for which RabbitMQ is installed if it can be. */
export async function findBroker(options: BrokerOptions): Promise<Broker> {
  const { env, say } = options;
  if (env.AMQP_URL) return named(env.AMQP_URL);
  const server = findRabbitMqServer(env);
  const wantsPrivate = options.preferPrivate && server;
  if (!wantsPrivate && (await probeAmqp(localUrl)) === 'ready') {
    return external(localUrl, `RabbitMQ of this machine, ${address(localUrl)}`);
  }
  return startPrivateBroker(server ?? (await installRabbitMq(say, () => findRabbitMqServer(env))), options);
}

async function named(url: string): Promise<Broker> {
  if (!URL.canParse(url))
    throw new SetupError('AMQP_URL is not an address such as amqp://user:password@host:5672: correct it.');
  // The probe speaks plain AMQP; a broker behind TLS is left to the services to judge.
  const result = url.startsWith('amqps:') ? 'ready' : await probeAmqp(url);
  if (result === 'ready') return external(url, `RabbitMQ at ${address(url)}`);
  const reasons = {
    refused: 'nothing answers there: start RabbitMQ',
    'not-amqp': 'what answers there is not RabbitMQ: correct the address',
    'login-refused': 'it refuses this user and password: correct them',
  };
  throw new SetupError(`AMQP_URL names ${address(url)}, but ${reasons[result]}, or unset AMQP_URL.`);
}

function external(url: string, description: string): Broker {
  return { url, description, [Symbol.asyncDispose]: async () => {} };
}

function address(url: string): string {
  return new URL(url).host;
}
