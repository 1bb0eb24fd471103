import { describe, expect, test } from '@jest/globals';
import { bundles, type Part, partsOf } from './bundle.ts';

const parts = (count: number, length = 10): Part[] =>
  Array.from({ length: count }, (_, n) => ({
    id: `id-${n}`,
    headers: n % 2 ? { traceparent: `00-${n}` } : {},
    body: { n, text: 'x'.repeat(length) },
  }));

/** A message as a reader gets it. */
const received = ({ content, messageId, headers }: ReturnType<typeof bundles>[number]) =>
  ({ content, properties: { messageId, headers } }) as unknown as Parameters<typeof partsOf>[0];

describe('bundles', () => {
  test.each([1, 2, 20, 21, 137])('of %i parts are read as they were sent, in few messages', (count) => {
    const sent = bundles(parts(count), true);
    expect(sent).toHaveLength(Math.ceil(count / 20));
    expect(sent.flatMap((each) => partsOf(received(each)))).toEqual(parts(count));
  });

  test('send what is alone as it is', () => {
    const [part] = parts(1);
    const [sent] = bundles(parts(1), true);
    expect(sent?.messageId).toBe(part?.id);
    expect(JSON.parse(String(sent?.content))).toEqual(part?.body);
  });

  test('are none where readers may be of an earlier version', () => {
    const sent = bundles(parts(5), false);
    expect(sent.map(({ messageId, content }) => [messageId, JSON.parse(String(content))])).toEqual(
      parts(5).map(({ id, body }) => [id, body]),
    );
  });

  test('are bounded in size, but for one that is large by itself', () => {
    const sent = bundles(parts(10, 30_000), true);
    expect(sent.map((each) => partsOf(received(each)).length)).toEqual([2, 2, 2, 2, 2]);
    expect(bundles(parts(3, 100_000), true)).toHaveLength(3);
  });

  test.each(['{', '{}', '[]', '[1]', '[{"id":"a","headers":{}}]', '[{"id":1,"headers":{},"body":1}]'])(
    'that are none are refused: %s',
    (text) => {
      const properties = { headers: { 'bundle-parts': 2 }, messageId: 'a' };
      const message = { content: Buffer.from(text), properties } as unknown as Parameters<typeof partsOf>[0];
      expect(() => partsOf(message)).toThrow(SyntaxError);
    },
  );
});
