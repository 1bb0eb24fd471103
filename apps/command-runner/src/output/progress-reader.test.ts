import { expect, test } from '@jest/globals';
import { ProgressReader } from './progress-reader.ts';

const esc = '\u001b';

/** What is left of a text that comes in parts, and the progress that was told. */
function readParts(parts: readonly string[]) {
  const told: number[] = [];
  const reader = new ProgressReader((percent) => told.push(percent));
  const left = parts.map((part) => reader.read(part)).join('') + reader.end();
  return { left, told };
}

const marked: [string, string, number[]][] = [
  ['a\n::progress 45\nb\n', 'a\nb\n', [45]],
  ['::progress 1\n::progress 2\r\n::progress 3', '', [1, 2, 3]],
  ['::progress 45 compiling\nb', 'compiling\nb', [45]],
  ['::progress 45.9%\n::progress 400\n::progress 0\n', '', [45, 100, 0]],
  [`a${esc}]9;4;1;45\u0007b${esc}]9;4;2;50${esc}\\c`, 'abc', [45, 50]],
  [`${esc}]9;4;3\u0007${esc}]9;4;0;0${esc}\\${esc}]9;4;1;\u0007x`, 'x', []],
  [`::progress 7\n${esc}]9;4;1;8\u0007\n`, '\n', [7, 8]],
];

test('marks are found and taken out, wherever the output is split', () => {
  for (const [text, left, told] of marked) {
    expect(readParts([text])).toEqual({ left, told });
    expect(readParts([...text])).toEqual({ left, told });
    for (let at = 0; at <= text.length; at++) {
      expect(readParts([text.slice(0, at), text.slice(at)])).toEqual({ left, told });
    }
  }
});

test('what only looks like a mark stays as it is', () => {
  const texts = [
    'a ::progress 45\n',
    '::progress\n',
    '::progress soon\n',
    '::progress 45abc\n',
    '::progress 1234567890\n',
    `${esc}]9;4;7;5\u0007`,
    `${esc}]0;title\u0007`,
    `${esc}[31mred${esc}[0m`,
    '::',
    esc,
    `::progress ${'x'.repeat(3_000)}`,
  ];
  for (const text of texts) {
    expect(readParts([text])).toEqual({ left: text, told: [] });
    expect(readParts([...text])).toEqual({ left: text, told: [] });
  }
});

test('output that cannot become a mark is not held back', () => {
  const reader = new ProgressReader(() => {});
  expect(reader.read('Continue? [y/n] ')).toBe('Continue? [y/n] ');
  expect(reader.read('::pro')).toBe('::pro');
  expect(reader.read('\n::pro')).toBe('\n');
  expect(reader.read('portion')).toBe('::proportion');
});
