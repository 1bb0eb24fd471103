import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from '@jest/globals';
import { root } from './platform/paths.ts';

const read = (path: string) => readFileSync(join(root, path), 'utf8');
const sources = globSync('apps/*/src/**/*.ts', { cwd: root }).filter((path) => !/\.test\.ts$|\/testing\//.test(path));

test('every model with an index is among those that are migrated', () => {
  const stores = sources.filter((path) => /\bSchema\b/.test(read(path)) && /\.index\(/.test(read(path)));
  const unmigrated = stores.filter((path) => {
    const [app = ''] = /^apps\/[^/]+\/src/.exec(path) ?? [];
    return !read(`${app}/database.ts`).includes(`from './${relative(app, path)}'`);
  });
  expect(unmigrated).toEqual([]);
  expect(stores.length).toBeGreaterThan(20);
});

test('no service makes or drops indexes', () => {
  const making = /\.(init|createIndex|createIndexes|syncIndexes|ensureIndexes|dropIndex)\(/;
  expect(sources.filter((path) => making.test(read(path)) && /mongoose/.test(read(path)))).toEqual([]);
});

test('each service with a database can be migrated by its own image', () => {
  const own = sources.filter((path) => path.endsWith('/src/database.ts')).map(dirname);
  expect(own).toHaveLength(5);
  for (const app of own) expect(read(`${app}/migrate.ts`)).toContain('runMigration(database)');
});
