import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Grammar, mostCharacters } from './grammar.ts';

describe('the grammar', () => {
  let grammar: Grammar;
  beforeAll(async () => {
    grammar = await Grammar.load();
  });
  afterAll(() => grammar[Symbol.asyncDispose]());

  test('tells where statements start, in bytes', async () => {
    expect(await grammar.parse('echo "ü"; true')).toEqual({ starts: [0, 11] });
    expect(await grammar.parse('ls -la')).toEqual({ starts: [0] });
  });

  test('tells what is wrong, and where', async () => {
    expect(await grammar.parse('if true')).toEqual({ problem: expect.stringMatching(/^line 1, column \d+: /) });
  });

  test('answers each of many who ask at once for its own', async () => {
    const commands = Array.from({ length: 20 }, (_, n) => `${'true; '.repeat(n)}echo $HOME`);
    const parsed = await Promise.all(commands.map((command) => grammar.parse(command)));
    expect(parsed.map((each) => 'starts' in each && each.starts.length)).toEqual(commands.map((_, n) => n + 1));
  });

  test('takes no longer than it may, by a new parser each time', async () => {
    await using hasty = await Grammar.load(0);
    // Each takes the parser many times as long as the shortest timer.
    for (const name of ['date', 'id']) {
      const long = `$(${name}) `.repeat(mostCharacters / 10);
      expect(await hasty.parse(`echo ${long}`)).toEqual({ problem: 'it is too complex to be parsed' });
    }
  });
});
