import { readDocument, readWord } from './read-word.ts';
import { type Source, Unreadable } from './source.ts';
import type { Redirection, Word } from './syntax.ts';

const operators = /(?:\d+|\{\w+\})?(?:&>>|&>|<<<|<<-|<<|<&|<>|<(?!\()|>>|>&|>\||>(?!\())/y;

/** Read a redirection. Undefined, and nothing is read, when none starts here. */
export function readRedirection(source: Source): Redirection | undefined {
  const token = source.take(operators);
  if (token === undefined) return undefined;
  const operator = token.replace(/^(?:\d+|\{\w+\})/, '');
  const descriptor = token.slice(0, token.length - operator.length);
  source.skipBlanks();
  const target = readWord(source);
  if (target.length === 0) throw new Unreadable(`${operator} has no target`);
  const redirection: Redirection = { descriptor, operator, target };
  if (operator === '<<' || operator === '<<-') announce(source, redirection);
  return redirection;
}

/** The body follows on the next line, and is expanded unless the delimiter is quoted. */
function announce(source: Source, redirection: Redirection): void {
  const { target, operator } = redirection;
  const quoted = target.some((part) => part.kind === 'text' && part.quoted);
  const asText = (text: string): Word => [{ kind: 'text', text, quoted: true }];
  redirection.body = asText('');
  source.hereDocuments.push({
    delimiter: target.map((part) => (part.kind === 'text' ? part.text : '')).join(''),
    stripTabs: operator === '<<-',
    take: (body) => {
      redirection.body = quoted ? asText(body) : readDocument(source.inner(body));
    },
  });
}
