import { absolute, isWithin } from '../run/place.ts';
import { hasPattern } from '../shell/text.ts';
import { type Invocation, names, type Rule } from './rule.ts';

/** Programs that name a file without showing what is in it, and those whose arguments are plain text. */
const innocent = new Set(
  names(
    'echo printf ls stat test [ [[ chmod chown touch mkdir rm dirname basename realpath readlink git ssh ssh-add ssh-keygen file find export',
  ),
);
const secretFiles = names('/etc/shadow /etc/shadow- /etc/gshadow /etc/gshadow- /etc/sudoers');
const secretOfHome =
  /\/(?:\.ssh\/(?:id_(?!\S*\.pub$)\S*|\S*_key|\S*\.pem)|\.aws\/credentials|\.gnupg\/\S*|\.netrc|\.docker\/config\.json|\.kube\/config)$/;
const environmentOfOther = /^\/proc\/(?!self\/)[^/]+\/(?:environ|mem)$/;

function isSecret(path: string, { directory }: Invocation): boolean {
  const resolved = absolute(path.replace(/^@/, ''), directory);
  if (resolved === undefined) return false;
  const named = secretFiles.some((file) => (hasPattern(resolved) ? isWithin(resolved, file) : resolved === file));
  return named || secretOfHome.test(resolved) || environmentOfOther.test(resolved);
}

/** Rules about reading what is secret. */
export const secretRules: Rule[] = [
  {
    programs: [],
    warning: 'Command attempts to read passwords or keys',
    suggestions: ['Pass what a command needs in its environment'],
    applies: (invocation) => {
      const { program, args, reads } = invocation;
      const values = innocent.has(program) ? [] : args.flatMap((arg) => [arg, arg.replace(/^[^=]*=/, '')]);
      return [...reads, ...values].some((path) => /[./]/.test(path) && isSecret(path, invocation));
    },
  },
];
