import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSettings } from '@claude-cli/shared/settings';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { CommandLine, writtenBy } from '../testing/command-line.ts';
import { Harness } from '../testing/harness.ts';
import { isolationsHere } from '../testing/isolations.ts';
import { Isolation, isolationSettings } from './isolation.ts';
import { Workspace } from './workspace.ts';

const cases = await isolationsHere();
const isRoot = process.getuid?.() === 0;
let harness: Harness;

beforeAll(async () => {
  harness = await Harness.start();
});

afterAll(() => harness[Symbol.asyncDispose]());

afterEach(() => harness.reset());

const lineOf = async (settings: Record<string, string>) => new CommandLine(await harness.runner(settings));

describe('a configuration that cannot be met is refused in a sentence', () => {
  const open = async (settings: Record<string, string>, asRoot?: boolean) => {
    const root = await mkdtemp(join(tmpdir(), 'test-isolation-'));
    try {
      const config = readSettings(isolationSettings, settings);
      return await Isolation.open(config, await Workspace.open(root), asRoot);
    } finally {
      await rm(root, { recursive: true });
    }
  };

  test('when a user is named, but the runner is not root and cannot become it', async () => {
    await expect(open({ RUNNER_USER: '1000:1000' }, false)).rejects.toThrow(/RUNNER_USER can be set only/);
  });

  test('when root uses bubblewrap without a user whose processes can be counted', async () => {
    await expect(open({ RUNNER_ISOLATION: 'bubblewrap' }, true)).rejects.toThrow(/needs RUNNER_USER=<uid>:<gid>/);
  });

  test('when a setting has no meaning', () => {
    for (const settings of [
      { RUNNER_ISOLATION: 'docker' },
      { RUNNER_USER: '0:0' },
      { RUNNER_USER: 'nobody' },
      { RUNNER_NETWORK: 'true' },
      { RUNNER_READ_PATHS: 'opt/node' },
      { CPU_LIMIT_SECONDS: '0' },
    ]) {
      expect(() => readSettings(isolationSettings, settings)).toThrow(Object.keys(settings)[0]);
    }
  });

  (isRoot ? test : test.skip)('when the user cannot reach the workspace', async () => {
    // Not given to the user, as a directory above the workspace would not be.
    await expect(open({ RUNNER_USER: '65534:65534' })).rejects.toThrow(/Commands cannot be run as RUNNER_ISOLATION/);
  });
});

describe.each(cases)('$name', ({ name, settings, sandboxed }) => {
  test('tells exit codes, signals and words that are not found', async () => {
    const line = await lineOf(settings);
    expect(await line.run('exit 3')).toMatchObject({ status: 'failed', exit_code: 3 });
    expect(await line.run('kill -9 $$')).toMatchObject({ status: 'failed', exit_code: -9 });
    const missing = 'Command not found: surely-no-such-command';
    expect(await line.run('PATH=/usr/bin; surely-no-such-command')).toMatchObject({ exit_code: 127, error: missing });
  });

  test('limits processor time, of one process and of all', async () => {
    const line = await lineOf({ ...settings, CPU_LIMIT_SECONDS: '1' });
    const [one, all] = await Promise.all([
      line.run('while :; do :; done'),
      line.run('for i in 1 2 3 4 5 6; do (while :; do :; done) & done; wait'),
    ]);
    expect(['Ended by signal 24', 'Took more processor time than a command may']).toContain(one.error);
    expect(all).toMatchObject({ status: 'failed', error: 'Took more processor time than a command may' });
  });

  test('limits memory, of one process and of all', async () => {
    const line = await lineOf({ ...settings, MEMORY_LIMIT_BYTES: '60000000' });
    const hold = (bytes: number) => `head -c ${bytes} /dev/zero | tail -c ${bytes} >/dev/null`;
    const one = await line.run(`${hold(100_000_000)}`);
    expect(one).toMatchObject({ status: 'failed' });
    const held = '(head -c 12000000 /dev/zero; sleep 20) | tail -c 12000000 >/dev/null &';
    const all = await line.run(`${held.repeat(8)} wait`);
    expect(all).toMatchObject({ status: 'failed', error: 'Took more memory than a command may' });
  });

  test('is told what it took', async () => {
    const line = await lineOf(settings);
    const burn = 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done';
    const command = await line.run(`(${burn}); ${burn}; head -c 60M /dev/zero | tail -c 60M >/dev/null; times`);
    const spent = [...writtenBy(command).matchAll(/0m([\d.]+)0*s/g)].reduce((sum, [, s]) => sum + Number(s), 0);
    expect(spent).toBeGreaterThan(0.1);
    expect(command.cpu_seconds).toBeGreaterThan(spent - 0.03);
    expect(command.cpu_seconds).toBeLessThan(spent + 0.5);
    const quick = await line.run('echo quick');
    expect(quick.cpu_seconds).toBeLessThan(0.2);
    expect(quick.peak_memory_bytes ?? 0).toBeLessThan(20_000_000);
    const large = await line.run('(head -c 12000000 /dev/zero; sleep 2.5) | tail -c 12000000 >/dev/null');
    expect(large.peak_memory_bytes).toBeGreaterThan(12_000_000);
    expect(large.peak_memory_bytes).toBeLessThan(80_000_000);
  });

  if (sandboxed) {
    test('has the network only where it is allowed', async () => {
      const interfaces = async (RUNNER_NETWORK: string) => {
        const line = await lineOf({ ...settings, RUNNER_NETWORK });
        return writtenBy(await line.run('cat /proc/net/dev'))
          .match(/^ *[\w-]+:/gm)
          ?.map((found) => found.trim());
      };
      const ours = (await readFile('/proc/net/dev', 'utf8')).match(/^ *[\w-]+:/gm)?.map((found) => found.trim());
      expect(await interfaces('none')).toEqual(['lo:']);
      expect(await interfaces('agent')).toEqual(['lo:']);
      expect(await interfaces('all')).toEqual(ours);
    });

    test('shows more paths when they are named', async () => {
      const shown = await mkdtemp(join(tmpdir(), 'test-shown-'));
      await chmod(shown, 0o755);
      await writeFile(join(shown, 'tool'), '#!/bin/sh\necho works\n', { mode: 0o755 });
      const line = await lineOf({ ...settings, RUNNER_READ_PATHS: shown });
      const command = await line.run(`${shown}/tool; touch ${shown}/new`);
      expect(writtenBy(command)).toBe('works\n');
      expect(command).toMatchObject({ status: 'failed' });
      await rm(shown, { recursive: true });
    });

    test('has a home and a host name that tell nothing', async () => {
      const runner = await harness.runner(settings);
      const line = new CommandLine(runner);
      await mkdir(join(runner.ctx.workspace.root, 'mine'), { recursive: true });
      const command = await line.run('echo $HOME; hostname; pwd', { working_directory: 'mine' });
      const mine = join(runner.ctx.workspace.root, 'mine');
      expect(writtenBy(command)).toBe(`${mine}\nsandbox\n${mine}\n`);
    });

    test('runs the agent, which alone may use the network, and says when it is missing', async () => {
      const tools = await mkdtemp(join(tmpdir(), 'test-tools-'));
      await chmod(tools, 0o755);
      const result = '{"type":"result","subtype":"success","is_error":false,"result":"done"}';
      const script = `#!/bin/sh\ngrep -c : /proc/net/dev >&2\necho '${result}'\n`;
      await writeFile(join(tools, 'agent'), script, { mode: 0o755 });
      const agent = { ...settings, RUNNER_READ_PATHS: tools, CLAUDE_BINARY: join(tools, 'agent') };
      const runner = await harness.runner(agent);
      const job = await harness.execute(undefined);
      expect(await harness.finished(job.execution_id)).toMatchObject({ status: 'completed' });
      const shown = harness.shown(job.execution_id).flatMap(({ pieces }) => pieces);
      const interfaces = Number(shown.find(({ stream }) => stream === 'stderr')?.content);
      expect(interfaces).toBe((await readFile('/proc/net/dev', 'utf8')).match(/:/g)?.length);
      await runner[Symbol.asyncDispose]();
      await harness.runner({ ...settings, CLAUDE_BINARY: 'no-such-claude' });
      const missing = await harness.execute(undefined);
      expect(await harness.finished(missing.execution_id)).toMatchObject({
        status: 'failed',
        exit_code: 127,
        error: 'Command not found: no-such-claude',
      });
      await rm(tools, { recursive: true });
    });
  } else {
    test(`runs as ${name.includes('user') ? 'the user that is named' : 'the user of the runner'}`, async () => {
      const line = await lineOf(settings);
      const expected = settings.RUNNER_USER?.split(':')[0] ?? String(process.getuid?.());
      expect(writtenBy(await line.run('id -u')).trim()).toBe(expected);
    });
  }
});
