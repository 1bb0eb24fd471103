import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Place } from './run/place.ts';
import { Safety } from './safety.ts';

let safety: Safety;

beforeAll(async () => {
  safety = await Safety.load();
});

const place: Place = {
  root: '/srv/platform/workspaces',
  directory: '/srv/platform/workspaces/project',
  home: '/home/runner',
  runnerPids: [4242],
  environment: {},
};

const judge = (command: string, changes: Partial<Place> = {}) => safety.judge(command, { ...place, ...changes });

/** Lines of a table: a command each, in which ↵ stands for a line feed. */
function linesOf(name: string): string[] {
  const text = readFileSync(new URL(`./cases/${name}.txt`, import.meta.url), 'utf8');
  return text.split('\n').flatMap((line) => (line === '' ? [] : [line.replaceAll('↵', '\n')]));
}

/** The commands of the table of unsafe ones, each with the warning of the heading above it. */
function unsafeCases(): [command: string, warning: string][] {
  let heading = '';
  return linesOf('unsafe').flatMap((line): [string, string][] => {
    if (!line.startsWith('== ')) return [[line, heading]];
    heading = line.slice(3);
    return [];
  });
}

describe('a command is refused', () => {
  test.each(unsafeCases())('%j: %s', async (command, warning) => {
    const verdict = await judge(command);
    expect(verdict).toMatchObject({ parsed: true, safe: false });
    expect(verdict.warnings).toContain(warning);
    expect(verdict.suggestions).not.toEqual([]);
  });

  test.each(linesOf('broken'))('when it cannot be parsed: %j', async (command) => {
    const verdict = await judge(command);
    expect(verdict).toMatchObject({ parsed: false, safe: false });
    expect(verdict.warnings[0]).toMatch(/^The command cannot be parsed: line 1, column \d+: /);
    expect(await safety.parse(command)).toMatchObject({ parsed: false, safe: true });
  });

  test('when a variable that the caller adds makes it harmful', async () => {
    expect(await judge('$X', { environment: { X: 'rm -rf /' } })).toMatchObject({ safe: false });
    expect(await judge('rm -rf "$DIR"/*', { environment: { DIR: 'out' } })).toMatchObject({ safe: true });
    expect(await judge('rm -rf ~', { environment: { HOME: '/etc' } })).toMatchObject({ safe: false });
  });

  test('when it deletes everything in the root of the workspace, and not in a directory of a project', async () => {
    expect(await judge('rm -rf *', { directory: place.root })).toMatchObject({
      safe: false,
      warnings: [
        'This command is potentially destructive',
        'Command attempts to delete the whole workspace, which all projects share',
      ],
    });
    expect(await judge('rm -rf *')).toMatchObject({ safe: true });
  });

  test('when it would end the runner that runs it', async () => {
    expect(await judge('kill 4242')).toMatchObject({ safe: false });
    expect(await judge('kill 4243')).toMatchObject({ safe: true });
  });
});

test('a command that deletes everything is described as the reference has it', async () => {
  expect(await judge('rm -rf /')).toEqual({
    parsed: true,
    safe: false,
    warnings: ['This command is potentially destructive', 'Command attempts to delete system files'],
    suggestions: ["Use 'rm -rf ./directory' to delete specific directory", "Use 'ls' to list files before deletion"],
  });
});

test.each(linesOf('safe'))('a command passes: %j', async (command) => {
  expect(await judge(command)).toEqual({ parsed: true, safe: true, warnings: [], suggestions: [] });
});

test.each(linesOf('cautious'))('a command passes with a warning: %j', async (command) => {
  const verdict = await judge(command);
  expect(verdict).toMatchObject({ parsed: true, safe: true, warnings: [expect.any(String)] });
  expect(verdict.suggestions).not.toEqual([]);
});

test('a syntax error is named with its position', async () => {
  expect((await judge('echo one\necho "two')).warnings).toEqual([
    `The command cannot be parsed: line 2, column 6: reached EOF without closing quote '"'`,
  ]);
});

describe('hostile input is answered in bounded time', () => {
  // Milliseconds each takes; what grows exponentially would take years, and a machine may be busy with something else.
  const boundMs = 10_000;
  const repeated = (text: string, length = 20_000) => text.repeat(Math.ceil(length / text.length)).slice(0, length);
  const hostile: Record<string, string> = {
    parentheses: repeated('('),
    'closed parentheses': repeated('(', 9_999) + repeated(')', 9_999),
    'ambiguous arithmetic': `${repeated('(( $(( ', 168)}1${repeated(' )) ))', 168)}`,
    substitutions: repeated('$('),
    'parameters in parameters': repeated('${a:-'),
    'open braces': `echo ${repeated('{a,', 19_000)}}}}`,
    'braces that multiply': `echo ${repeated('{a,b}', 200)}`,
    'a text that doubles': `X=aaaaaaaa;${repeated('X=$X$X;', 7_000)}rm $X`,
    'loops in loops': `for i in ${repeated('a ', 4_000)}; do for j in ${repeated('b ', 4_000)}; do rm $i$j; done; done`,
    'functions that call twice': `${Array.from({ length: 300 }, (_, i) => `f${i}(){ f${i + 1}; f${i + 1}; };`).join('')}f0`,
    patterns: `rm -rf ${Array.from({ length: 60 }, () => `/${repeated('*?', 160)}x`).join(' ')}`,
    'here-documents': repeated('<<a '),
    statements: repeated('a;'),
    redirections: repeated('>a '),
    comments: repeated('#\n'),
    'shells in shells': repeated('sh -c '),
    'wrappers in wrappers': repeated('env A=b '),
    characters: Array.from({ length: 20_000 }, (_, i) => String.fromCharCode(i % 256)).join(''),
    'more than is read': repeated('a', 20_001),
  };

  test.each(Object.keys(hostile))('%s', async (name) => {
    const started = performance.now();
    expect(await judge(hostile[name] ?? '')).toMatchObject({ safe: expect.any(Boolean) });
    expect(performance.now() - started).toBeLessThan(boundMs);
  });

  test('any text of the characters that shells care about', async () => {
    const pieces = [
      ...'(){}[]<>|&;$`"\'\\*?~#!=%-+/:,. \n\tarx1\0é😀',
      '$(',
      '${',
      '$((',
      '<<',
      '<<<',
      '((',
      ';;',
      '&&',
    ].concat(
      'rm -rf / /* sh -c eval if then fi for in do done case esac while function sudo xargs find cd EOF'.split(' '),
    );
    const command = fc.array(fc.constantFrom(...pieces), { maxLength: 60 }).map((parts) => parts.join(''));
    await fc.assert(
      fc.asyncProperty(command, async (text) => {
        const started = performance.now();
        const verdict = await judge(text);
        expect(verdict.safe || verdict.warnings.length > 0).toBe(true);
        expect(performance.now() - started).toBeLessThan(boundMs);
      }),
      { numRuns: 1_000 },
    );
  });

  test('a harmful command stays one wherever a list, a subshell or a loop puts it', async () => {
    const around = fc.constantFrom(
      (text: string) => `(${text})`,
      (text: string) => `{ ${text}; }`,
      (text: string) => `true && ${text}`,
      // The blank keeps it from being arithmetic.
      (text: string) => `echo $( ${text})`,
      (text: string) => `if true; then ${text}; fi`,
      (text: string) => `for x in 1; do ${text}; done`,
      (text: string) => `while read x; do ${text}; done`,
      (text: string) => `f() { ${text}; }; f`,
      (text: string) => `sh -c '${text.replaceAll("'", `'\\''`)}'`,
      (text: string) => `eval '${text.replaceAll("'", `'\\''`)}'`,
      (text: string) => `sh <<'EOF'\n${text}\nEOF\n`,
    );
    const wrapped = fc.array(around, { maxLength: 4 }).map((all) => all.reduce((text, wrap) => wrap(text), 'rm -rf /'));
    await fc.assert(
      fc.asyncProperty(wrapped, async (text) => {
        expect(await judge(text)).toMatchObject({ safe: false });
      }),
      { numRuns: 300 },
    );
  });
});
