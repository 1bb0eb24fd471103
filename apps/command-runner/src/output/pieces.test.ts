import { describe, expect, test } from '@jest/globals';
import { cut, OutputBuffer } from './output-buffer.ts';
import { type Chunk, toPieces } from './pieces.ts';

const chunk = (text: string, stream: Chunk['stream'] = 'stdout'): Chunk => ({ stream, text, at: 'now' });
const contents = (chunks: Chunk[]) => toPieces(chunks).map((piece) => piece.content);

describe('a batch', () => {
  test('becomes one piece per line, the last without a line feed', () => {
    expect(contents([chunk('a\nb\n\nc')])).toEqual(['a\n', 'b\n', '\n', 'c']);
  });

  test('joins a line that was read in parts, but never two streams', () => {
    expect(toPieces([chunk('a'), chunk('b\n'), chunk('e\n', 'stderr'), chunk('c')])).toEqual([
      { stream: 'stdout', content: 'ab\n', timestamp: 'now' },
      { stream: 'stderr', content: 'e\n', timestamp: 'now' },
      { stream: 'stdout', content: 'c', timestamp: 'now' },
    ]);
  });

  test('of many lines is grouped into pieces of at most 8 KiB that end with a line', () => {
    const text = Array.from({ length: 5_000 }, (_, n) => `line ${n}\n`).join('');
    const pieces = contents([chunk(text)]);
    expect(pieces.join('')).toBe(text);
    expect(pieces.length).toBeLessThan(10);
    expect(pieces.every((piece) => piece.length <= 8192 && piece.endsWith('\n'))).toBe(true);
  });

  test('keeps a line that is longer than a group whole', () => {
    const text = `${'x'.repeat(20_000)}\n${'y\n'.repeat(200)}`;
    expect(contents([chunk(text)])[0]).toBe(`${'x'.repeat(20_000)}\n`);
  });
});

describe('the buffer', () => {
  test('cuts after a line where there is one, and never inside a character', () => {
    expect(cut('ab\ncd\nef', 7)).toEqual(['ab\ncd\n', 'ef']);
    expect(cut('abcdef', 4)).toEqual(['abcd', 'ef']);
    expect(cut('abc😀', 4)).toEqual(['abc', '😀']);
    expect(cut('😀', 1)).toEqual(['😀'.slice(0, 1), '😀'.slice(1)]);
  });

  test('gives back in order exactly what was put in', () => {
    const buffer = new OutputBuffer();
    const texts = ['one\ntwo', '\nthree', 'four\n', 'x'.repeat(50)];
    for (const text of texts) buffer.push(chunk(text));
    let taken = '';
    while (buffer.size > 0) {
      const batch = buffer
        .take(10)
        .map(({ text }) => text)
        .join('');
      expect(batch.length).toBeLessThanOrEqual(10);
      taken += batch;
    }
    expect(taken).toBe(texts.join(''));
  });
});
