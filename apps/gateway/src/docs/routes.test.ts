import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startTestGateway, type TestGateway } from '../testing/test-gateway.ts';
import { page, pageFiles, pagePolicy } from './swagger-ui.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({ RATE_LIMIT_ANONYMOUS: '1000' });
});
afterAll(async () => gateway[Symbol.asyncDispose]());

const get = (path: string, init: RequestInit = {}) => fetch(gateway.url + path, { redirect: 'manual', ...init });

describe('the documents', () => {
  test.each(['/openapi.json', '/docs/postman_collection.json', '/docs/insomnia_collection.json'])(
    '%s is JSON that everybody may read',
    async (path) => {
      const response = await get(path);
      expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
      expect(response.headers.get('x-ratelimit-limit')).toBe('1000');
      expect(Object.keys((await response.json()) as object).length).toBeGreaterThan(3);
    },
  );

  test.each(['/docs', '/docs/'])('%s is the page, which may load nothing but files of ours', async (path) => {
    const response = await get(path);
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(response.headers.get('content-security-policy')).toBe(pagePolicy);
    expect(await response.text()).toBe(page);
  });

  test('the page loads exactly the files that are served, by absolute addresses, and has no script of its own', () => {
    const loaded = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]);
    expect(loaded.toSorted()).toEqual(pageFiles.map(({ address }) => address).toSorted());
    expect(page).not.toMatch(/<script(?![^>]*src=)|https?:|\son\w+=/);
  });

  test.each(pageFiles.map((file) => [file.address, file] as const))(
    '%s is served with its type',
    async (path, file) => {
      const response = await get(path);
      expect(response.status).toBe(200);
      const types = { js: /^text\/javascript/, css: /^text\/css/, png: /^image\/png/ };
      expect(response.headers.get('content-type')).toMatch(types[path.split('.').at(-1) as keyof typeof types]);
      expect(response.headers.get('cache-control')).toBe(
        file.isImmutable ? 'public, max-age=31536000, immutable' : 'no-cache',
      );
      expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(200);
      const seen = response.headers.get('last-modified') ?? '';
      // Without cache-control, fetch asks for a fresh copy.
      const headers = { 'if-modified-since': seen, 'cache-control': 'max-age=0' };
      expect((await get(path, { headers })).status).toBe(304);
    },
  );

  test('nothing else of the package is served', async () => {
    const [bundle] = pageFiles;
    const base = bundle?.address.replace(/[^/]+$/, '');
    for (const name of ['index.html', 'package.json', 'swagger-ui-bundle.js.map', '..%2fpackage.json', '']) {
      expect([name, (await get(`${base}${name}`)).status]).toEqual([name, 404]);
    }
  });

  test('are read only', async () => {
    const response = await get('/docs', { method: 'POST' });
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    const head = await get('/openapi.json', { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  });
});
