import { scriptOf } from '../run/shells.ts';
import { foreign, isKnown } from '../shell/text.ts';
import { names, type Objection, type Rule } from './rule.ts';

const interpreters = /^(?:python|pypy|perl|ruby|node|php|lua|deno|bun)[\d.]*$/;

/** Rules about running what nobody has seen. */
export const scriptRules: Rule[] = [
  {
    programs: [],
    warning: 'Command runs a script that cannot be seen before it runs',
    suggestions: ['Save the script to a file and look at it before you run it'],
    applies: (invocation) => {
      const script = scriptOf(invocation);
      if (!script) return false;
      return script.text.includes(foreign) || (script.from === 'input' && !isKnown(script.text));
    },
  },
  {
    programs: [],
    warning: 'Command runs code from the network or out of an encoding',
    suggestions: ['Save the code to a file and look at it before you run it'],
    applies: ({ program, args, stdin }) =>
      program === foreign ||
      (interpreters.test(program) &&
        (stdin?.includes(foreign) ?? false) &&
        args.every((arg) => arg === '-' || arg === '-u')) ||
      (interpreters.test(program) && args[0] === foreign),
  },
];

/** A function or a loop that starts more and more processes. Told by the syntax, not by a program. */
export const forkBomb: Objection = {
  warning: 'Command starts more and more processes until the machine stands still',
  suggestions: ["Use 'xargs -P 4' to run a few at once", "Use 'wait' before more are started"],
};

/** Rules that are worth a warning only. */
export const cautions: Rule[] = [
  {
    programs: ['git'],
    caution: true,
    warning: 'Command overwrites the history of a branch that others may have',
    suggestions: ["Use 'git push --force-with-lease' to overwrite only what you have seen"],
    applies: ({ args }) =>
      args.includes('push') &&
      args.some((arg) => arg === '--force' || /^-[a-z]*f[a-z]*$/.test(arg) || /^\+\S/.test(arg)),
  },
  {
    programs: ['git'],
    caution: true,
    warning: 'Command drops changes that are not committed',
    suggestions: ["Use 'git stash' to keep them", "Use 'git status' to list them"],
    applies: ({ args }) =>
      (args.includes('reset') && args.includes('--hard')) ||
      (args.includes('clean') && args.some((arg) => arg === '--force' || /^-[a-z]*f/.test(arg))),
  },
  {
    programs: names('docker podman'),
    caution: true,
    warning: 'Command drops containers, images or volumes that others may use',
    suggestions: ["Use 'docker system df' to see what takes space"],
    applies: ({ args }) => args.includes('prune'),
  },
  {
    programs: ['chmod'],
    caution: true,
    warning: 'Command lets everybody on the machine change files',
    suggestions: ["Use 'chmod 755' for directories and programs, 'chmod 644' for other files"],
    applies: ({ args }) => args.some((arg) => /^0?777$/.test(arg) || /^[ao]\+\w*w/.test(arg)),
  },
];
