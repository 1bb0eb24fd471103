import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSettings } from '@claude-cli/shared/settings';
import { Isolation, isolationSettings } from '../processes/isolation.ts';
import { Workspace } from '../processes/workspace.ts';

/** A way of isolating commands that works on this machine. */
export interface IsolationCase {
  name: string;
  settings: Record<string, string>;
  /** Commands see little of the system. */
  sandboxed: boolean;
  /** The number of processes can be limited. */
  bounded: boolean;
}

/** The ways of isolating that work here. Those that do not are named on stderr, so that nobody thinks they were tested. */
export async function isolationsHere(): Promise<IsolationCase[]> {
  const isRoot = process.getuid?.() === 0;
  const user: Record<string, string> = isRoot ? { RUNNER_USER: '65534:65534' } : {};
  const cases: IsolationCase[] = [{ name: 'plain', settings: {}, sandboxed: false, bounded: false }];
  if (isRoot) cases.push({ name: 'plain as another user', settings: user, sandboxed: false, bounded: true });
  cases.push({
    name: 'bubblewrap',
    settings: { RUNNER_ISOLATION: 'bubblewrap', ...user },
    sandboxed: true,
    bounded: true,
  });
  const tried = await Promise.all(cases.map(async (each) => ((await works(each)) ? [each] : [])));
  return tried.flat();
}

async function works({ name, settings }: IsolationCase): Promise<boolean> {
  const config = readSettings(isolationSettings, settings);
  const root = await mkdtemp(join(tmpdir(), 'test-isolation-'));
  try {
    await Isolation.open(config, await Workspace.open(root, config.RUNNER_USER));
    return true;
  } catch (err) {
    process.stderr.write(`not tested here: ${name}. ${(err as Error).message}\n`);
    return false;
  } finally {
    await rm(root, { recursive: true });
  }
}
