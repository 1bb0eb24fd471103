import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { newId } from '@claude-cli/shared/ids';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { CommandLine, writtenBy } from '../testing/command-line.ts';
import { Harness, type TestRunner } from '../testing/harness.ts';
import { isolationsHere } from '../testing/isolations.ts';
import { processesWith, uniqueSeconds } from '../testing/processes-with.ts';
import { readAllStats } from './proc-stat.ts';
import { membersOf } from './usage-meter.ts';

// Attacks that could harm the machine run only where something holds them, and every one for seconds at most.

const processLimit = 60;
/** Memory that a runner may hold of a flood of output, in bytes. */
const heldMost = 16_000_000;
const repository = join(import.meta.dirname, '../../../..');

describe.each(await isolationsHere())('$name holds', ({ settings, sandboxed, bounded }) => {
  let harness: Harness;
  let runner: TestRunner;
  let line: CommandLine;
  let directory: string;

  beforeAll(async () => {
    harness = await Harness.start({ ...settings, FILE_LIMIT_BYTES: '1048576', PROCESS_LIMIT: String(processLimit) });
    runner = await harness.runner();
    line = new CommandLine(runner);
    directory = await runner.ctx.workspace.ofProject(newId());
  });

  afterAll(() => harness[Symbol.asyncDispose]());

  const run = (command: string, timeout = 20) => line.run(command, { working_directory: directory, timeout });

  (bounded ? test : test.skip)('a fork bomb, of which nothing is left', async () => {
    const marker = `bomb${Date.now()}`;
    // What waits is the shell itself: it could not start a program to wait with.
    const id = await line.start(`: ${marker}; b() { b | b & }; b; while :; do :; done`, { timeout: 4 });
    const pid = Number(runner.ctx.running.get(id)?.pid);
    let most = 0;
    await until('it is stopped', async () => {
      most = Math.max(most, membersOf(readAllStats(), new Set([pid])).get(pid)?.length ?? 0);
      return runner.ctx.running.get(id) === undefined;
    });
    const bomb = await line.status(id);
    expect(bomb).toMatchObject({ status: 'timed_out' });
    expect(writtenBy(bomb, 'stderr')).toMatch(/fork/i);
    // Besides what the limit counts there are the processes of the sandbox itself.
    expect(most).toBeLessThanOrEqual(processLimit + 3);
    await until('nothing is left', () => processesWith(marker).length === 0);
    expect(await run('echo fine')).toMatchObject({ status: 'completed' });
  });

  test('30 MB of output, and output without end, in little memory', async () => {
    // What the harness was shown is no memory of the runner.
    const held = () => {
      harness.events.length = 0;
      return heldMemory();
    };
    const before = held();
    let most = 0;
    const over = new AbortController();
    const watching = (async () => {
      for (let pauseMs = 500; !over.signal.aborted; ) {
        await setTimeout(pauseMs, undefined, { signal: over.signal }).catch(() => {});
        const began = performance.now();
        most = Math.max(most, held());
        // Collecting takes the longer the more other tests have left behind, and the runner has to go on meanwhile.
        pauseMs = Math.max(500, 10 * (performance.now() - began));
      }
    })();
    const flood = await run("head -c 31457280 /dev/zero | tr '\\0' x; echo; echo last");
    const endless = await run('yes', 2);
    over.abort();
    await watching;
    expect(flood).toMatchObject({ status: 'completed', output_truncated: true });
    expect(writtenBy(flood)).toMatch(/x\nlast\n$/);
    expect(endless).toMatchObject({ status: 'timed_out', output_truncated: true });
    for (const { output } of [flood, endless]) {
      expect(output.reduce((sum, piece) => sum + piece.content.length, 0)).toBeLessThanOrEqual(1_048_576 + 200);
    }
    expect(most - before).toBeLessThan(heldMost);
  });

  test('grandchildren that became daemons: they die with the run', async () => {
    const seconds = uniqueSeconds();
    const daemons = `setsid sleep ${seconds}.1 & (setsid sh -c '(sleep ${seconds}.2 &)' &)`;
    const command = await run(`${daemons}; (sleep ${seconds}.3 &); sleep 0.2; echo done`);
    expect(command).toMatchObject({ status: 'completed' });
    await until('all are gone', () => processesWith(seconds).length === 0);
  });

  test('reading what belongs to this service or to others', async () => {
    const other = await runner.ctx.workspace.ofProject(newId());
    await writeFile(join(other, 'secret'), 'secret of another project');
    // What we were started with; each Node process of npm has it.
    expect(readFileSync('/proc/self/environ', 'utf8')).toContain('npm_');
    const own = await run("cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -E 'npm_|MONGODB|AMQP'; env");
    const seen = writtenBy(own);
    expect(seen).toContain('PATH=');
    // As the same user, without a sandbox, a process is kept out only by what the service does itself.
    if (sandboxed || 'RUNNER_USER' in settings) expect(seen).not.toMatch(/npm_|MONGODB|AMQP/);
    if (!sandboxed) return;
    const files = [join(other, 'secret'), join(repository, 'package.json'), '/etc/shadow', `/proc/${process.pid}/stat`];
    const wanted = await run(`ls ${runner.ctx.workspace.root}; cat ${files.join(' ')}; ls /proc | grep -c '^[0-9]'`);
    expect(writtenBy(wanted).split('\n').slice(0, 1)).toEqual([directory.split('/').at(-1)]);
    expect(writtenBy(wanted)).not.toMatch(/secret of|claude-cli|root:/);
    expect(Number(writtenBy(wanted).trim().split('\n').at(-1))).toBeLessThan(8);
  });

  test('links out of the workspace', async () => {
    await mkdir(join(runner.ctx.workspace.root, 'aside'), { recursive: true });
    const target = join(runner.ctx.workspace.root, 'aside', 'file');
    await writeFile(target, 'untouched');
    const command = await run(`ln -s ${target} out; ln -s / top; echo mine > out; cat out top${target}; ls out`);
    if (sandboxed) {
      expect(writtenBy(command)).not.toContain('untouched');
      expect(await readFile(target, 'utf8')).toBe('untouched');
    }
    const request = { working_directory: join(directory, 'top') };
    await expect(line.start('pwd', request)).rejects.toMatchObject({ code: 'VALIDATION_ERROR' });
  });

  test('writing more into a file than allowed, and, in a sandbox, outside the directory', async () => {
    const command = await run('head -c 5000000 /dev/zero > big; wc -c < big');
    expect(writtenBy(command).trim()).toBe('1048576');
    if (!sandboxed) return;
    const escapes = ['/usr/x', '/etc/x', '/x', '/dev/x', '/var/x'];
    const tried = await run(`for path in ${escapes.join(' ')}; do echo x > $path && echo written; done; true`);
    expect(writtenBy(tried)).toBe('');
    await run(`echo x > ${runner.ctx.workspace.root}/x`);
    expect(existsSync(join(runner.ctx.workspace.root, 'x'))).toBe(false);
    const scratch = await run(
      'i=0; while [ $i -lt 300 ] && head -c 1048576 /dev/zero > /tmp/$i; do i=$((i+1)); done; du -m /tmp | tail -1',
    );
    expect(Number.parseInt(writtenBy(scratch), 10)).toBeLessThanOrEqual(260);
  });

  test('closing its output early: the run goes on to its end', async () => {
    const command = await run('exec >&- 2>&-; sleep 0.3; exit 4');
    expect(command).toMatchObject({ status: 'failed', exit_code: 4 });
    expect(command.duration).toBeGreaterThan(0.25);
  });

  test('ignoring SIGTERM; and who minds it may tidy up', async () => {
    const [deaf, polite] = await Promise.all([
      line.start("trap '' TERM; echo up; while :; do sleep 0.05; done"),
      line.start("trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.05; done"),
    ]);
    for (const id of [deaf, polite]) await until('it is up', async () => writtenBy(await line.status(id)) === 'up\n');
    runner.ctx.running.get(deaf)?.stop('cancelled', 300);
    runner.ctx.running.get(polite)?.stop('cancelled', 5_000);
    expect(await line.ended(deaf)).toMatchObject({ status: 'cancelled', exit_code: -9 });
    const bye = await line.ended(polite);
    expect(bye).toMatchObject({ status: 'cancelled', exit_code: 7 });
    expect(writtenBy(bye)).toBe('up\nbye\n');
  });
});

setFlagsFromString('--expose-gc');
const collectGarbage: (how: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void =
  runInNewContext('gc');

/** Memory that this process cannot give back. */
function heldMemory(): number {
  // Buffers of which nobody knows any more outlive a usual collection, and now and then one such as this.
  for (let n = 0; n < 2; n++) collectGarbage({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
