import { execFile } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { root } from '../../scripts/platform/paths.ts';
import { makeTempDir } from '../../scripts/platform/temp-dir.ts';

const run = promisify(execFile);

/** An empty project, into which the SDK was installed as it is published. */
export interface SdkProject extends AsyncDisposable {
  path: string;
}

/** Build and pack the SDK, and install it into an empty project without asking any registry. */
export async function installSdk(): Promise<SdkProject> {
  await using starting = new AsyncDisposableStack();
  const temp = starting.use(makeTempDir());
  const source = join(root, 'packages/sdk');
  const project = join(temp.path, 'project');
  mkdirSync(project);
  await run('npm', ['run', 'build'], { cwd: source });
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', temp.path], { cwd: source });
  const [{ filename, files }] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  const besides = files.map(({ path }) => path).filter((path) => !path.startsWith('dist/'));
  const wanted = ['LICENSE', 'README.md', 'package.json'];
  if (besides.sort().join() !== wanted.join())
    throw new Error(`the package holds, besides dist: ${besides.join(', ')}`);
  writeFileSync(join(project, 'package.json'), '{"name":"user","private":true,"type":"module"}');
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', join(temp.path, filename)], { cwd: project });
  // Node before 22 needs it, to be given as an option.
  const ws = dirname(createRequire(import.meta.url).resolve('ws/package.json'));
  symlinkSync(ws, join(project, 'node_modules/ws'));
  const kept = starting.move();
  return { path: project, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}
