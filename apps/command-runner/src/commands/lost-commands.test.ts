import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { CommandServiceService } from '@claude-cli/proto/platform/v1/commands';
import { testChannel } from '@claude-cli/shared/testing/channel';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { readAllStats } from '../processes/proc-stat.ts';
import { as, Harness } from '../testing/harness.ts';
import { isAlive } from '../testing/is-alive.ts';
import { isolationsHere } from '../testing/isolations.ts';
import { processesWith, uniqueSeconds } from '../testing/processes-with.ts';

let harness: Harness;
let victim: ChildProcess | undefined;

beforeAll(async () => {
  harness = await Harness.start();
});

afterAll(() => harness[Symbol.asyncDispose]());

afterEach(async () => {
  victim?.kill('SIGKILL');
  await harness.reset();
});

/** Start a runner as a process of its own; answers the port of its gRPC server. */
async function startVictim(settings: Record<string, string> = {}): Promise<number> {
  const main = fileURLToPath(new URL('../main.ts', import.meta.url));
  const env = { ...harness.env, ...settings, LOG_LEVEL: 'info', PATH: process.env.PATH };
  victim = spawn(process.execPath, [main], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let log = '';
  victim.stdout?.on('data', (chunk) => (log += chunk));
  return until('the runner is ready', () => Number(/"grpc_port":(\d+)/.exec(log)?.[1]) || undefined, 20_000);
}

test('what a killed runner left running is killed by the next, and its records are closed', async () => {
  const channel = testChannel(await startVictim());
  const commands = channel.client(CommandServiceService);
  const ann = as('ann');
  const request = { command: 'setsid sleep 61 & echo $!; sleep 62', environment: {} };
  const { command_id, pid } = await commands.executeCommand(request, ann);
  const job = await harness.execute('echo $$; sleep 63');
  const stray = await until('both have written', async () => {
    const { output } = await commands.getCommandStatus({ command_id }, ann);
    return harness.shown(job.execution_id).length > 0 && Number(output[0]?.content);
  });
  const execution = Number(harness.shown(job.execution_id)[0]?.pieces[0]?.content);
  channel.close();
  const spawner = readAllStats().find((stat) => stat.parent === victim?.pid)?.pid;
  expect(readAllStats().find((stat) => stat.pid === pid)?.parent).toBe(spawner);
  victim?.kill('SIGKILL');
  await until('the runner is dead', () => victim?.signalCode === 'SIGKILL');
  await until('its spawner has ended', () => !isAlive(Number(spawner)));
  expect([stray, execution, pid].map((each) => isAlive(Number(each)))).toEqual([true, true, true]);

  const next = await harness.runner();
  await until('all are gone', () => ![stray, execution, pid].some((each) => isAlive(Number(each))));
  expect(await next.commands.getCommandStatus({ command_id }, ann)).toMatchObject({
    status: 'failed',
    error: 'runner lost',
  });
  await until('the end is told', () =>
    harness.events.some((e) => e.type === 'command.finished' && e.data.command_id === command_id),
  );
  expect(await next.ctx.commands.find(job.execution_id)).toMatchObject({ status: 'failed', error: 'runner lost' });
  expect(harness.events.some((event) => event.type === 'execution.finished')).toBe(false);
});

for (const { name, settings } of (await isolationsHere()).filter(({ sandboxed }) => sandboxed)) {
  test(`in ${name} nothing outlives a killed runner, and a run that is cancelled from elsewhere ends`, async () => {
    const channel = testChannel(await startVictim(settings));
    const commands = channel.client(CommandServiceService);
    const marker = uniqueSeconds();
    const command = `setsid sleep ${marker}.1 & (sleep ${marker}.2 &); sleep ${marker}.3`;
    const started = await commands.executeCommand({ command, environment: {} }, as('ann'));
    const cancelled = await commands.executeCommand({ command: 'sleep 60', environment: {} }, as('ann'));
    await until('all run', () => processesWith(`sleep ${marker}`).length >= 3);
    const other = await harness.runner(settings);
    const request = { command_id: cancelled.command_id };
    expect(await other.commands.cancelCommand(request, as('ann'))).toMatchObject({ exit_code: -15 });
    expect(processesWith(`sleep ${marker}`).length).toBeGreaterThanOrEqual(3);
    channel.close();
    victim?.kill('SIGKILL');
    await until('nothing is left', () => processesWith(`sleep ${marker}`).length === 0);
    await other[Symbol.asyncDispose]();
    const next = await harness.runner(settings);
    expect(await next.ctx.commands.find(started.command_id)).toMatchObject({ status: 'failed', error: 'runner lost' });
  });
}

test('a report that a killed runner could not give is given by the next', async () => {
  const first = await harness.runner();
  first.ctx.bus.publishEvent = () => Promise.reject(new Error('never'));
  const job = await harness.execute('exit 5');
  await until('its end is stored', async () => (await first.ctx.commands.find(job.execution_id))?.outbox.length === 1);
  await first[Symbol.asyncDispose]();
  await harness.runner();
  expect(await harness.finished(job.execution_id)).toMatchObject({ status: 'failed', exit_code: 5 });
});

test('a process that only has the id of a lost one is left alone', async () => {
  const runner = await harness.runner();
  const innocent = spawn('sleep', ['64'], { detached: true });
  const started = await runner.commands.executeCommand({ command: 'true', environment: {} }, as('ann'));
  await runner.ctx.running.get(started.command_id)?.ended;
  await runner.ctx.commands.model.updateOne(
    { _id: started.command_id },
    {
      $set: {
        status: 'running',
        runner_id: 'dead',
        runner_pid: 4_194_304,
        pid: innocent.pid,
        pid_started: 'another time',
      },
    },
  );
  await runner[Symbol.asyncDispose]();
  const next = await harness.runner();
  expect(await next.ctx.commands.find(started.command_id)).toMatchObject({ status: 'failed', error: 'runner lost' });
  expect(isAlive(Number(innocent.pid))).toBe(true);
  innocent.kill('SIGKILL');
});
