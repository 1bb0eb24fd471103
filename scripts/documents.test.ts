import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from '@jest/globals';
import { root } from './platform/paths.ts';

test.each([...globSync('*.md', { cwd: root }), ...globSync('docs/*.md', { cwd: root })])(
  'the links of %s lead somewhere',
  (document) => {
    const links = [...readFileSync(join(root, document), 'utf8').matchAll(/\]\(([^)#\s]+)/g)].map(
      ([, link = '']) => link,
    );
    const files = links.filter((link) => !/^[a-z]+:/.test(link));
    expect(files.filter((file) => !existsSync(join(root, dirname(document), file)))).toEqual([]);
  },
);
