import type { Invocation } from '../rules/rule.ts';
import type { Redirection } from '../shell/syntax.ts';
import { derivedFrom } from '../shell/text.ts';
import { type Shell, textOf } from './expand.ts';

/** What redirections make of the files of a program. */
export interface Redirected extends Pick<Invocation, 'stdin' | 'writes' | 'reads'> {
  /** Its standard output goes to a file. */
  diverted: boolean;
}

/** Follow redirections in their order. */
export function redirected(redirections: readonly Redirection[], shell: Shell, passed: string | undefined): Redirected {
  let stdin = passed;
  let diverted = false;
  const writes: string[] = [];
  const reads: string[] = [];
  for (const { descriptor, operator, target, body } of redirections) {
    const text = textOf(body ?? target, shell);
    if (body) stdin = text;
    else if (operator === '<<<') stdin = `${text}\n`;
    else if (/^[<>]&$/.test(operator) && /^(?:\d+-?|-)$/.test(text)) continue;
    else if (operator.startsWith('<')) {
      reads.push(text);
      if (operator === '<>') writes.push(text);
      if (descriptor === '' || descriptor === '0') stdin = derivedFrom(text);
    } else {
      writes.push(text);
      diverted ||= descriptor === '' || descriptor === '1' || operator.startsWith('&');
    }
  }
  return { stdin, writes, reads, diverted };
}
