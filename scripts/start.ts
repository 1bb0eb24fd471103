// Usage: npm start [-- --once | --help]
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { styleText } from 'node:util';
import { onInterrupt } from './interrupt.ts';
import { runMainJob } from './main-job.ts';
import { formatLogLine } from './platform/log-lines.ts';
import { root } from './platform/paths.ts';
import { type Platform, startPlatform } from './platform/platform.ts';
import { reportFailure, SetupError } from './platform/setup-error.ts';
import { generate } from './tools.ts';

const help = `Starts the whole platform on this machine and serves it until Ctrl-C.

  npm start              the first time it also runs a task, live on the console, to show that everything works
  npm start -- --once    run that task in any case, then stop; exit code 0 only if every step was seen to happen
  npm start -- --help    this text

Settings are environment variables; those that matter most here:
  PORT             port of the public door (8000)          HOST             address that it binds (127.0.0.1)
  MONGODB_URI      MongoDB to use (default: embedded)      AMQP_URL         RabbitMQ to use (default: found or started)
  DATA_DIR         data, secrets and logs (.data)          WORKSPACE_ROOT   where tasks run (DATA_DIR/workspaces)
  ADMIN_PASSWORD   password of the admin (generated)       JWT_SECRET       secret that signs tokens (generated)
  LOG_LEVEL        least level that is shown (warn)        LOG_FORMAT       json shows log lines as they are written
`;

async function main(args: string[]): Promise<number> {
  const unknown = args.find((arg) => !['--once', '--help', '-h'].includes(arg));
  if (unknown) throw new SetupError(`Unknown argument ${unknown}: see npm start -- --help.`);
  if (args.includes('--help') || args.includes('-h')) {
    console.log(help);
    return 0;
  }
  const signal = onInterrupt();
  const interrupted = () => Number(process.exitCode ?? 1);
  if ((await generate(signal)) !== 0) {
    if (signal.aborted) return interrupted();
    throw new SetupError('Generating code from the contract failed: mend what is named above.');
  }
  try {
    return await serve(args.includes('--once'), signal);
  } catch (cause) {
    if (signal.aborted) return interrupted();
    throw cause;
  }
}

async function serve(once: boolean, signal: AbortSignal): Promise<number> {
  const env: NodeJS.ProcessEnv = { LOG_LEVEL: 'warn', ...process.env };
  const dataDir = env.DATA_DIR || join(root, '.data');
  const started = performance.now();
  say('Starting the platform');
  await using platform = await startPlatform({
    dataDir,
    port: env.PORT ? portOf(env.PORT) : 8000,
    env,
    signal,
    say: (line) => say(styleText('gray', `  ${line}`)),
    onLine: (source, line) => console.log(env.LOG_FORMAT === 'json' ? line : formatLogLine(source, line)),
  });
  say(`Ready in ${((performance.now() - started) / 1000).toFixed(1)} s`);
  const ended = Promise.race([platform.failed, aborted(signal)]);
  const marker = join(dataDir, 'main-job-done');
  const jobFailed = once || !existsSync(marker) ? await runJob(platform, marker, ended) : undefined;
  if (once) {
    if (jobFailed) throw jobFailed;
  } else {
    if (jobFailed && !signal.aborted) console.error(jobFailed.message);
    if (!signal.aborted) announce(platform);
    const failure = await ended;
    if (failure) throw failure;
  }
  say('Stopping');
  // Being stopped is how serving ends well.
  return 0;
}

/** Why the main job failed, if it did. It is left alone when the platform ends first. */
async function runJob(
  platform: Platform,
  marker: string,
  ended: Promise<SetupError | undefined>,
): Promise<Error | undefined> {
  say('\nThe main job, through the public doors:');
  const { url, adminUsername: username, adminPassword: password, webhooksReachUs: webhooks } = platform;
  const job = runMainJob({ url, username, password, tree: root, webhooks, say }).then(
    () => {
      writeFileSync(marker, `${new Date().toISOString()}\n`);
      return undefined;
    },
    (cause: Error) => new SetupError(cause.message),
  );
  return Promise.race([job, ended.then((failure) => failure ?? new SetupError('The main job was interrupted.'))]);
}

function announce({ url, adminUsername, secrets }: Platform): void {
  say('');
  say(`The platform serves ${styleText('bold', url)}   API: ${url}/docs`);
  if (!secrets.passwordFile) {
    say(`Log in as ${adminUsername} with the password in ADMIN_PASSWORD`);
  } else if (secrets.unseenPassword) {
    say(
      `Log in as ${adminUsername} with password ${styleText('bold', secrets.unseenPassword)} (kept in ${secrets.passwordFile})`,
    );
    secrets.markSeen();
  } else {
    say(`The password of ${adminUsername} is kept in ${secrets.passwordFile}`);
  }
  say('Ctrl-C stops it');
}

function portOf(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535)
    throw new SetupError(`PORT is ${text}: it must be a number from 0 to 65535.`);
  return port;
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}

function say(line: string): void {
  console.log(line);
}

process.exit(await main(process.argv.slice(2)).catch(reportFailure));
