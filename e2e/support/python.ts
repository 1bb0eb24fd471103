import { execFileSync } from 'node:child_process';

/** A Python that has all of the modules; that of the system is often not the first one. Undefined where there is none. */
export function pythonWith(modules: readonly string[]): string | undefined {
  return ['python3', '/usr/bin/python3'].find((candidate) => {
    try {
      execFileSync(candidate, ['-c', modules.map((name) => `import ${name}`).join('\n')], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  });
}
