import { Options } from '../rules/rule.ts';
import { unknown } from '../shell/text.ts';
import { absolute } from './place.ts';
import type { Scope } from './scope.ts';

type Effect = (args: readonly string[], scope: Scope) => void;

const forget = (names: readonly string[], scope: Scope) => {
  for (const name of names) scope.set(name, [unknown]);
};
const cd: Effect = (args, scope) => changeDirectory(args, scope);
const declare: Effect = (args, scope) => assign(new Options(args).operands, scope);
const read: Effect = (args, scope) => forget(['REPLY', 'MAPFILE', ...new Options(args).operands], scope);
const cloud: Effect = (_, scope) => scope.cloud();

const effects: Record<string, Effect> = {
  cd,
  chdir: cd,
  pushd: cd,
  popd: (_, scope) => scope.set('PWD', [unknown]),
  set: setParameters,
  shift: (args, scope) => scope.set('@', scope.values('@').slice(Number(args[0] ?? 1) || 1)),
  unset: (args, scope) => {
    for (const name of new Options(args).operands) scope.set(name, []);
  },
  read,
  mapfile: read,
  readarray: read,
  getopts: read,
  printf: (args, scope) => forget(args[0] === '-v' ? args.slice(1, 2) : [], scope),
  export: declare,
  declare,
  typeset: declare,
  local: declare,
  readonly: declare,
  // A file that is not looked into may have set anything.
  '.': cloud,
  source: cloud,
};

/** What a program that is built into the shell changes in it. */
export function applyBuiltin(program: string, args: readonly string[], scope: Scope): void {
  if (Object.hasOwn(effects, program)) effects[program]?.(args, scope);
}

/** Set variables that are written as name=value. */
export function assign(assignments: readonly string[], scope: Scope): void {
  for (const assignment of assignments) {
    const [, name, value] = /^([A-Za-z_]\w*)=(.*)$/s.exec(assignment) ?? [];
    if (name !== undefined && value !== undefined) scope.set(name, [value]);
  }
}

function changeDirectory(args: readonly string[], scope: Scope): void {
  const to = args.find((arg) => arg === '-' || !arg.startsWith('-'));
  const target = to === undefined ? scope.values('HOME')[0] : to === '-' ? scope.values('OLDPWD')[0] : to;
  scope.set('OLDPWD', [scope.directory]);
  scope.set('PWD', [(target && absolute(target, scope.directory)) ?? unknown]);
}

function setParameters(args: readonly string[], scope: Scope): void {
  const end = args.indexOf('--');
  const first = args.findIndex((arg, index) => !/^[-+]/.test(arg) && !/^[-+]o$/.test(args[index - 1] ?? ''));
  const from = end >= 0 ? end + 1 : first;
  if (from >= 0) scope.set('@', args.slice(from));
}
