import type { Invocation } from '../rules/rule.ts';
import { foreign, isKnown } from '../shell/text.ts';

const shells = new Set(['sh', 'bash', 'dash', 'zsh', 'ksh', 'ash', 'mksh', 'fish', 'rbash', 'csh', 'tcsh']);
/** Options of shells that take a value. */
const withValue = /^(?:[-+][oO]|--rcfile|--init-file)$/;

/** Names of programs that run scripts. */
export const scriptPrograms = [
  ...shells,
  'eval',
  '.',
  'source',
  'su',
  'runuser',
  'script',
  'flock',
  'trap',
  'alias',
  'watch',
];

/** A script that a program runs. */
export interface ScriptRun {
  text: string;
  from: 'argument' | 'input';
  /** Positional parameters of the script. */
  parameters: readonly string[];
}

/** The script that a program runs as shell, when it is text and not a file. */
export function scriptOf(invocation: Pick<Invocation, 'program' | 'args' | 'stdin'>): ScriptRun | undefined {
  const { program, args, stdin } = invocation;
  if (shells.has(program)) return scriptOfShell(args, stdin);
  const given = (text: string): ScriptRun => ({ text, from: 'argument', parameters: [] });
  switch (program) {
    case 'eval':
      return given(args.join(' '));
    case '.':
    case 'source':
      return args[0] === undefined ? undefined : scriptAt(args[0], stdin, args.slice(1));
    case 'su':
    case 'runuser':
    case 'script':
    case 'flock': {
      const at = args.findIndex((arg) => /^(?:-\w*c|--command)$/.test(arg));
      const text = args[at + 1];
      return at >= 0 && text !== undefined ? given(text) : undefined;
    }
    case 'trap':
      return args.length > 1 && args[0] !== undefined && !/^-/.test(args[0]) ? given(args[0]) : undefined;
    case 'alias':
      return args[0]?.includes('=') ? given(args.map((arg) => arg.replace(/^[^=]*=/, '')).join('\n')) : undefined;
    case 'watch': {
      const first = args.findIndex(
        (arg, index) => !arg.startsWith('-') && !/^(?:-n|--interval)$/.test(args[index - 1] ?? ''),
      );
      return first < 0 ? undefined : given(args.slice(first).join(' '));
    }
    default:
      return undefined;
  }
}

function scriptOfShell(args: readonly string[], stdin: string | undefined): ScriptRun | undefined {
  let fromArgument = false;
  let fromInput = false;
  let index = 0;
  for (; index < args.length; index++) {
    const arg = args[index] ?? '';
    if (arg === '--' || arg === '-') {
      index++;
      break;
    }
    if (!/^[-+]./.test(arg)) break;
    if (/^-[a-zA-Z]*c/.test(arg)) fromArgument = true;
    if (/^-[a-zA-Z]*s/.test(arg)) fromInput = true;
    if (withValue.test(arg)) index++;
  }
  const [operand, ...parameters] = args.slice(index);
  // With -c, the parameters begin with the name of the script.
  if (fromArgument) {
    return operand === undefined ? undefined : { text: operand, from: 'argument', parameters: parameters.slice(1) };
  }
  if (operand === undefined || fromInput) return scriptAt('/dev/stdin', stdin, args.slice(index));
  return scriptAt(operand, stdin, parameters);
}

/** A file is not looked into, apart from those that are no files. */
function scriptAt(path: string, stdin: string | undefined, parameters: readonly string[]): ScriptRun | undefined {
  if (path === foreign) return { text: foreign, from: 'argument', parameters };
  if (!/^\/dev\/(?:stdin|fd\/0)$|^\/proc\/self\/fd\/0$/.test(path)) return undefined;
  return stdin === undefined ? undefined : { text: stdin, from: 'input', parameters };
}

/** Whether a script is worth reading: one that is wholly unknown is not. */
export function isReadable(script: ScriptRun): boolean {
  return isKnown(script.text) || script.from === 'argument';
}
