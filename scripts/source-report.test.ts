import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { makeTempDir } from './platform/temp-dir.ts';
import { shellQuote, sourceReport } from './source-report.ts';

const sh = (command: string) => execFileSync('/bin/sh', ['-c', command], { encoding: 'utf8' });

describe('a quoted word', () => {
  test.each(["it's", '$HOME `id` $(id)', 'a "b" \\ c', "''", 'line\nbreak', ' '])(
    '%j reaches a command unchanged',
    (text) => {
      expect(sh(`printf %s ${shellQuote(text)}`)).toBe(text);
    },
  );
});

describe('the source report', () => {
  test('counts files and lines of a tree that is no git checkout, whatever its path is', () => {
    using temp = makeTempDir();
    const tree = join(temp.path, `it's a "$HOME" tree`);
    for (const [file, lines] of Object.entries({
      'packages/a/package.json': 1,
      'apps/b/package.json': 1,
      'apps/b/x y.ts': 7,
    })) {
      mkdirSync(join(tree, file, '..'), { recursive: true });
      writeFileSync(join(tree, file), 'line\n'.repeat(lines));
    }
    const report = sh(sourceReport(tree, 0));
    expect(report).toMatch(/packages\/a +1 files +1 lines/);
    expect(report).toMatch(/apps\/b +2 files +8 lines/);
    expect(report).toMatch(/total +3 files +9 lines\n$/);
    expect(report).toContain('7 apps/b/x y.ts');
  });
});
