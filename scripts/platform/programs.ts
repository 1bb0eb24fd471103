import { existsSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

// Package managers put servers where the PATH of an ordinary user does not look.
const systemDirs = [
  '/usr/sbin',
  '/usr/local/sbin',
  '/opt/homebrew/sbin',
  '/opt/homebrew/opt/rabbitmq/sbin',
  '/usr/local/opt/rabbitmq/sbin',
];

/** The path of an installed program. */
export function findProgram(name: string, path = process.env.PATH ?? ''): string | undefined {
  const dirs = [...path.split(delimiter).filter((dir) => dir !== ''), ...systemDirs];
  return dirs.map((dir) => join(dir, name)).find((file) => existsSync(file));
}

/**
 * The script that starts RabbitMQ as whoever calls it. Debian's own rabbitmq-server in /usr/sbin insists on the user
 * rabbitmq and on /var/lib, so the one that it calls is taken.
 */
export function findRabbitMqServer(env: NodeJS.ProcessEnv): string | undefined {
  const behindDebian = '/usr/lib/rabbitmq/bin/rabbitmq-server';
  return existsSync(behindDebian) ? behindDebian : findProgram('rabbitmq-server', env.PATH);
}

/** Erlang's port mapper, which lies beside erl where it is not in PATH. */
export function findEpmd(env: NodeJS.ProcessEnv): string | undefined {
  const found = findProgram('epmd', env.PATH);
  const erl = findProgram('erl', env.PATH);
  if (found || !erl) return found;
  const beside = join(dirname(realpathSync(erl)), 'epmd');
  return existsSync(beside) ? beside : undefined;
}
