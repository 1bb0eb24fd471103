import type { Invocation } from '../rules/rule.ts';
import { Options } from '../rules/rule.ts';
import { decodeEscapes, formatted } from '../shell/escapes.ts';
import { derivedFrom, foreign } from '../shell/text.ts';

const downloaders = new Set([
  'curl',
  'wget',
  'fetch',
  'aria2c',
  'http',
  'https',
  'lynx',
  'links',
  'w3m',
  'ftp',
  'nc',
  'ncat',
  'netcat',
  'socat',
  'telnet',
  'scp',
]);
const silent = new Set([
  ':', 'true', 'false', 'cd', 'export', 'set', 'unset', 'alias', 'trap', 'shift', 'read', 'local', 'readonly', 'declare',
  'typeset', 'mkdir', 'touch', 'sleep', 'wait', 'rm', 'cp', 'mv', 'test', '[', '[[', 'exit', 'return', 'break', 'continue',
]); // biome-ignore format: a list

/** Whether a program turns text that nobody can read into text. */
function decodes({ program, args }: Invocation): boolean {
  const options = new Options(args);
  switch (program) {
    case 'base64':
    case 'base32':
    case 'basenc':
      return options.has('d', 'D', '--decode');
    case 'openssl':
    case 'gpg':
      return options.has('d', '--decrypt');
    case 'xxd':
      return options.has('r');
    case 'uudecode':
    case 'gunzip':
    case 'zcat':
    case 'bzcat':
    case 'xzcat':
    case 'bunzip2':
    case 'unxz':
    case 'zstdcat':
      return true;
    case 'gzip':
    case 'bzip2':
    case 'xz':
    case 'zstd':
      return options.has('d', '--decompress');
    default:
      return false;
  }
}

/** What a program writes to its standard output, as far as it can be told. */
export function outputOf(invocation: Invocation): string {
  const { program, args, stdin = '' } = invocation;
  if (downloaders.has(program) || decodes(invocation)) return foreign;
  if (silent.has(program)) return '';
  switch (program) {
    case 'echo':
      return `${decodeEscapes(args.filter((arg, index) => index > 0 || !/^-[neE]+$/.test(arg)).join(' '))}\n`;
    case 'printf':
      return args[0] === '-v' ? '' : formatted(args);
    case 'tee':
      return stdin;
    case 'cat': {
      const { operands } = new Options(args);
      return operands.every((operand) => operand === '-') ? stdin : derivedFrom([stdin, ...operands].join(''));
    }
    case 'pwd':
      return `${invocation.directory}\n`;
    case 'which':
      return `${args.at(-1) ?? ''}\n`;
    case 'command':
      return /^-[vV]/.test(args[0] ?? '') ? `${args[1] ?? ''}\n` : derivedFrom(stdin);
    default:
      return derivedFrom([stdin, ...args].join(''));
  }
}
