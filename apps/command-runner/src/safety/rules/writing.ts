import { absolute, isSystem, isWithin, targetOf } from '../run/place.ts';
import { type Invocation, names, Options, type Rule } from './rule.ts';

/** Devices that anybody may write to. */
const harmlessDevices = names(
  '/dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/stdin /dev/stdout /dev/stderr /dev/tty /dev/fd /dev/shm /dev/pts',
);
/** Files of a process about itself. */
const ownProcess = '/proc/self';

/** Paths that a program writes. */
function writtenBy({ program, args, writes }: Invocation): string[] {
  return [...writes, ...writtenByArguments(program, args)];
}

function writtenByArguments(program: string, args: readonly string[]): string[] {
  const { operands, ...options } = { operands: new Options(args).operands, given: new Options(args) };
  switch (program) {
    case 'tee':
    case 'truncate':
    case 'sponge':
      return operands;
    case 'dd':
      return args.filter((arg) => arg.startsWith('of=')).map((arg) => arg.slice(3));
    case 'cp':
    case 'mv':
    case 'install':
    case 'ln':
      return [...valuesOf(args, '-t', '--target-directory'), ...operands.slice(1).slice(-1)];
    case 'sed':
    case 'perl':
      return options.given.has('i', '--in-place') ? operands : [];
    case 'curl':
      return valuesOf(args, '-o', '--output');
    case 'wget':
      return valuesOf(args, '-O', '--output-document');
    default:
      return [];
  }
}

/** Values of an option, written after it or in one word with it. */
function valuesOf(args: readonly string[], short: string, long: string): string[] {
  return args.flatMap((arg, index) => {
    if (arg === short || arg === long) return args[index + 1] ?? [];
    if (arg.startsWith(`${long}=`)) return arg.slice(long.length + 1);
    return arg.startsWith(short) && !arg.startsWith('--') ? arg.slice(short.length) : [];
  });
}

function writes(invocation: Invocation, test: (resolved: string) => boolean): boolean {
  return writtenBy(invocation).some((path) => {
    const resolved = absolute(path, invocation.directory);
    return resolved !== undefined && test(resolved);
  });
}

function isHarmless(resolved: string): boolean {
  return resolved.startsWith(ownProcess) || harmlessDevices.some((device) => isWithin(resolved, device));
}

const isConnection = (path: string) => /^\/dev\/(?:tcp|udp)\//.test(path);

/** Rules about writing to what is not the caller's. */
export const writingRules: Rule[] = [
  {
    programs: [],
    destructive: true,
    warning: 'Command attempts to write to a device',
    suggestions: ['Write to a file in the workspace instead', "Use '/dev/null' to drop output"],
    applies: (invocation) =>
      writes(invocation, (path) => isWithin(path, '/dev') && !isHarmless(path) && !isConnection(path)),
  },
  {
    programs: [],
    destructive: true,
    warning: 'Command attempts to change system files',
    suggestions: ['Write to a file in the workspace instead'],
    applies: (invocation) =>
      writes(invocation, (path) => isSystem(path, invocation.place) && !isWithin(path, '/dev') && !isHarmless(path)),
  },
  {
    programs: [],
    warning: 'Command attempts to let somebody sign in by SSH',
    suggestions: ['Ask an administrator of the machine for access'],
    applies: (invocation) => writes(invocation, (path) => /\/\.ssh\/authorized_keys2?$/.test(path)),
  },
  {
    programs: [],
    warning: 'Command connects a shell to another machine',
    suggestions: ["Use 'curl' to send a request"],
    applies: ({ program, args, writes, reads }) =>
      [...writes, ...reads].some(isConnection) ||
      (/^(?:nc|ncat|netcat|nc\.\w+)$/.test(program) && new Options(args).has('e', 'c', '--exec', '--sh-exec')) ||
      (program === 'socat' && args.some((arg) => /^(?:exec|system|shell):/i.test(arg))),
  },
  {
    programs: names('chmod chown chgrp chattr setfacl'),
    destructive: true,
    warning: 'Command attempts to change who may use system files',
    suggestions: ["Use 'chmod' or 'chown' on a directory in the workspace"],
    applies: ({ args, directory, place }) => {
      const options = new Options(args);
      const recursive = options.has('R', '--recursive');
      const targets = options.operands.map((path) => targetOf(path, directory, place));
      return targets.some((target) => target === 'system' || (recursive && target !== 'other'));
    },
  },
  {
    programs: ['chmod', 'install'],
    warning: 'Command gives a program the rights of its owner, whoever runs it',
    suggestions: ["Use 'chmod +x' to make a file executable"],
    applies: ({ args }) =>
      args.some((arg) => /^[ugoa]*\+[rwxXt]*s/.test(arg) || /^(?:-m|--mode=)?0?[2467]\d{3}$/.test(arg)),
  },
  {
    programs: ['mv'],
    destructive: true,
    warning: 'Command attempts to move system files',
    suggestions: ["Use 'cp -r' to copy them", "Use 'ls' to list what would be moved"],
    applies: ({ args, directory, place }) => {
      const { operands } = new Options(args);
      return operands.slice(0, -1).some((path) => targetOf(path, directory, place) !== 'other');
    },
  },
];
