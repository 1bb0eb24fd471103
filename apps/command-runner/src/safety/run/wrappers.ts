import type { Invocation } from '../rules/rule.ts';
import { derivedFrom, isKnown, unknown } from '../shell/text.ts';

/** How a program that runs another one is called. */
interface Wrapper {
  /** Letters of options that take a value. */
  values?: string;
  /** Words of options that take a value, written after them. */
  longValues?: readonly string[];
  /** Operands before the program. */
  operands?: number;
  /** Assignments may come before the program. */
  assigns?: true;
}

const wrappers: Record<string, Wrapper> = {
  sudo: { values: 'ugpCcDhRrtTU', longValues: ['--user', '--group', '--host', '--chdir', '--prompt'], assigns: true },
  doas: { values: 'uC' },
  pkexec: { longValues: ['--user'] },
  runuser: { values: 'ugGs', longValues: ['--user', '--group', '--shell'] },
  env: { values: 'uC', longValues: ['--unset', '--chdir'], assigns: true },
  nohup: {},
  setsid: {},
  timeout: { values: 'ks', longValues: ['--kill-after', '--signal'], operands: 1 },
  nice: { values: 'n', longValues: ['--adjustment'] },
  ionice: { values: 'cnpPu', longValues: ['--class', '--classdata'] },
  chrt: { values: 'TPD', operands: 1 },
  taskset: { operands: 1 },
  numactl: { values: 'CNmpil' },
  prlimit: { values: 'po' },
  stdbuf: { values: 'ioe', longValues: ['--input', '--output', '--error'] },
  time: { values: 'fo', longValues: ['--format', '--output'] },
  command: {},
  builtin: {},
  exec: { values: 'a' },
  coproc: {},
  xargs: {
    values: 'adEIiLlnPs',
    longValues: ['--arg-file', '--delimiter', '--max-args', '--max-lines', '--max-procs', '--max-chars', '--replace'],
  },
  parallel: { values: 'jNnLa', longValues: ['--jobs'] },
  strace: { values: 'eopsSuaEIOPXb' },
  ltrace: { values: 'eonsuaAlxF' },
  unshare: { values: 'SGRw' },
  chroot: { operands: 1 },
  flock: { values: 'wE', operands: 1 },
  fakeroot: {},
  setpriv: {},
  busybox: {},
  toybox: {},
  unbuffer: {},
  caffeinate: { values: 't' },
  rlwrap: {},
  'systemd-run': { values: 'puMHE', longValues: ['--unit', '--property', '--slice'] },
  'xvfb-run': { values: 'enfps' },
};

/** Names of programs that run others. */
export const wrapperPrograms = [...Object.keys(wrappers), 'find'];

/** What a program runs: another program with its arguments, or a text of several. */
export type Inner = { fields: string[]; assignments: string[] } | { script: string };

/** The programs that a program runs, as its arguments say. */
export function innerOf(invocation: Invocation): Inner[] {
  const { program, args, stdin } = invocation;
  if (program === 'find') return innerOfFind(args);
  const wrapper = Object.hasOwn(wrappers, program) ? wrappers[program] : undefined;
  if (!wrapper) return [];
  const { options, rest } = split(args, wrapper);
  if (program === 'command' && options.some((option) => /^-[vV]/.test(option))) return [];
  const text = program === 'env' ? splitString(args) : undefined;
  if (text !== undefined) return [{ script: text }];
  const assignments: string[] = [];
  while (wrapper.assigns && /^[A-Za-z_]\w*=/.test(rest[0] ?? '')) assignments.push(rest.shift() ?? '');
  rest.splice(0, wrapper.operands ?? 0);
  if (rest.length === 0) return [];
  return [{ fields: program === 'xargs' ? withInput(rest, args, stdin) : rest, assignments }];
}

function split(args: readonly string[], { values = '', longValues = [] }: Wrapper) {
  const rest = [...args];
  const options: string[] = [];
  while (rest[0]?.startsWith('-')) {
    const option = rest.shift() ?? '';
    if (option === '--') break;
    options.push(option);
    const takesNext = option.startsWith('--')
      ? longValues.includes(option)
      : values.includes(option.at(-1) ?? ' ') && ![...option.slice(1, -1)].some((letter) => values.includes(letter));
    if (takesNext) rest.shift();
  }
  return { options, rest };
}

/** `env -S 'program arguments'` */
function splitString(args: readonly string[]): string | undefined {
  const at = args.findIndex((arg) => /^-\w*S$|^--split-string$/.test(arg));
  if (at >= 0) return args.slice(at + 1).join(' ');
  return args.find((arg) => /^(?:-S.|--split-string=)/.test(arg))?.replace(/^(?:-S|--split-string=)/, '');
}

/** What xargs makes of its input: arguments at the end, or in place of a name that it is given. */
function withInput(fields: string[], args: readonly string[], stdin: string | undefined): string[] {
  const input =
    stdin !== undefined && isKnown(stdin) ? stdin.split(/\s+/).filter((item) => item !== '') : [derivedFrom(stdin)];
  const at = args.findIndex((arg) => /^(?:-I|-i|--replace)/.test(arg));
  const option = args[at];
  if (option === undefined) return [...fields, ...input.map((item) => item.replace(/^(['"])(.*)\1$/, '$2'))];
  const name = option.replace(/^(?:-[Ii]|--replace=?)/, '') || (option === '-I' ? (args[at + 1] ?? '{}') : '{}');
  return fields.map((field) => field.replaceAll(name, input.join(' ')));
}

function innerOfFind(args: readonly string[]): Inner[] {
  const inner: Inner[] = [];
  for (const [index, arg] of args.entries()) {
    if (!/^-(?:exec|ok)(?:dir)?$/.test(arg)) continue;
    const rest = args.slice(index + 1);
    const end = rest.findIndex((each) => each === ';' || each === '+');
    const fields = rest.slice(0, end < 0 ? undefined : end).map((field) => field.replaceAll('{}', unknown));
    if (fields.length > 0) inner.push({ fields, assignments: [] });
  }
  return inner;
}
