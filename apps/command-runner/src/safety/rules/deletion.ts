import { type Target, targetOf } from '../run/place.ts';
import { hasPattern } from '../shell/text.ts';
import { type Invocation, names, Options, type Rule } from './rule.ts';

/** Tests of find that choose among what it finds. */
const findTests =
  /^-(?:i?name|i?path|i?wholename|i?regex|[acm]?time|[acm]?min|size|newer\w*|empty|user|group|perm|inum|links)$/;
const deleters = names('rm unlink shred mv srm');

/** Something that a program deletes. */
interface Deleted {
  path: string;
  /** With all that it contains. */
  whole: boolean;
}

/** What a program deletes. */
function deletedBy(invocation: Invocation): Deleted[] {
  const { program, args } = invocation;
  if (program === 'find') return deletedByFind(args);
  const options = new Options(args);
  if (program === 'rsync') {
    return args.some((arg) => arg.startsWith('--del')) ? [{ path: options.operands.at(-1) ?? '', whole: true }] : [];
  }
  const recursive = options.has('r', 'R', '--recursive');
  return options.operands.map((path) => ({ path, whole: recursive || hasPattern(path) }));
}

function deletedByFind(args: readonly string[]): Deleted[] {
  const deletes = args.some(
    (arg, index) => arg === '-delete' || (/^-(?:exec|ok)/.test(arg) && deleters.includes(args[index + 1] ?? '')),
  );
  if (!deletes) return [];
  const first = args.findIndex((arg) => /^(?:-[^HLP]|[!(])/.test(arg));
  const starts = args.slice(0, first < 0 ? undefined : first).filter((arg) => !arg.startsWith('-'));
  const whole = !args.some((arg) => findTests.test(arg));
  return (starts.length > 0 ? starts : ['.']).map((path) => ({ path, whole }));
}

function deletes(invocation: Invocation, ...targets: Target[]): boolean {
  const { directory, place } = invocation;
  return deletedBy(invocation).some(({ path, whole }) => {
    const target = targetOf(path, directory, place);
    return targets.includes(target) && (whole || target === 'system');
  });
}

const programs = names('rm unlink shred srm find rsync');
const lookFirst = "Use 'ls' to list files before deletion";

/** Rules about deleting files. */
export const deletionRules: Rule[] = [
  {
    programs,
    destructive: true,
    warning: 'Command attempts to delete system files',
    suggestions: ["Use 'rm -rf ./directory' to delete specific directory", lookFirst],
    applies: (invocation) =>
      deletes(invocation, 'system') ||
      (invocation.program === 'rm' && new Options(invocation.args).has('--no-preserve-root')),
  },
  {
    programs,
    destructive: true,
    warning: 'Command attempts to delete a home directory',
    suggestions: ["Use 'rm -rf ./directory' to delete specific directory", lookFirst],
    applies: (invocation) => deletes(invocation, 'home'),
  },
  {
    programs,
    destructive: true,
    warning: 'Command attempts to delete the whole workspace, which all projects share',
    suggestions: ['Name the directory to delete, or set working_directory to that of your project', lookFirst],
    applies: (invocation) => deletes(invocation, 'workspace'),
  },
  {
    programs,
    destructive: true,
    warning: 'Command attempts to delete a directory above the one that it runs in',
    suggestions: ["Use 'rm -rf ./directory' to delete specific directory", lookFirst],
    applies: (invocation) => deletes(invocation, 'parent'),
  },
];
