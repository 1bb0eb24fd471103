import { readFileSync } from 'node:fs';

/**
 * The value of a variable that holds a secret: the variable's own, or that of the file which NAME_FILE names, without the
 * line breaks that end it. Empty counts as absent.
 * @throws Error that names the variable, never its value
 */
export function givenValue(name: string, env: Record<string, string | undefined>): string | undefined {
  const own = env[name] || undefined;
  const file = env[`${name}_FILE`] || undefined;
  if (file === undefined) return own;
  if (own !== undefined) throw new Error(`${name}: is given twice, since there is ${name}_FILE as well`);
  const value = read(name, file).replace(/[\r\n]+$/, '');
  if (value === '') throw new Error(`${name}_FILE: ${file} is empty`);
  return value;
}

function read(name: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (thrown) {
    throw new Error(`${name}_FILE: ${file} cannot be read (${(thrown as NodeJS.ErrnoException).code})`);
  }
}
