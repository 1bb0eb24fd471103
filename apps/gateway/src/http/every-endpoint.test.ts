import { errorKinds, isErrorCode } from '@claude-cli/shared/errors';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Endpoint, endpointsOf } from '../contract/endpoints.ts';
import { anId, ask, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(async () => gateway[Symbol.asyncDispose]());

const bad: unknown[] = [
  undefined,
  null,
  '',
  '\0\ud800',
  -1,
  Number.POSITIVE_INFINITY,
  'x'.repeat(70_000),
  [null],
  { a: { b: 1 } },
  true,
];

function pathOf({ path }: Endpoint, value: string): string {
  return path.replaceAll(/\{\w+\}/g, () => encodeURIComponent(value));
}

test.each(endpointsOf().map((endpoint) => [endpoint.name, endpoint] as const))(
  '%s answers every bad input in the envelope, and never with a fault of ours',
  async (_name, endpoint) => {
    const { method, input, request } = endpoint;
    const names = [...request.fields.map(({ name }) => name), '__proto__', 'constructor', 'x[$ne]'];
    const attempts: [string, unknown][] = [[pathOf(endpoint, '../..\0'), undefined]];
    for (const value of bad) {
      attempts.push([pathOf(endpoint, anId), input === 'body' ? value : undefined]);
      for (const name of names) {
        const entry = JSON.stringify(name);
        const text = value === Number.POSITIVE_INFINITY ? '1e999' : (JSON.stringify(value) ?? 'null');
        if (input === 'body') attempts.push([pathOf(endpoint, anId), `{${entry}:${text}}`]);
        else
          attempts.push([
            `${pathOf(endpoint, anId)}?${encodeURIComponent(name)}=${encodeURIComponent(text).slice(0, 9_000)}`,
            undefined,
          ]);
      }
    }
    const replies = await Promise.all(
      attempts.map(([path, body]) => ask(gateway, method, path, body === undefined ? {} : { body })),
    );
    for (const [index, { status, json }] of replies.entries()) {
      const where = JSON.stringify(attempts[index]).slice(0, 200);
      expect([where, status < 500]).toEqual([where, true]);
      if (status < 400 && endpoint.streams) expect([where, json]).toEqual([where, undefined]);
      else if (status < 400) expect(json).toMatchObject({ error: null, meta: { version: '1.0.0' } });
      else if (!isErrorCode(json.error.code)) throw new Error(`${where}: ${json.error.code} is no code of ours`);
      else expect(errorKinds[json.error.code as keyof typeof errorKinds].http).toBe(status);
    }
  },
);
