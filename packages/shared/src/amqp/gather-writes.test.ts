import { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { expect, test } from '@jest/globals';
import { gatherWrites } from './gather-writes.ts';

test('what is written at once goes out together, in its order, and what comes later by itself', async () => {
  const sent: string[] = [];
  const stream = new Writable({
    write: (chunk, _encoding, done) => {
      sent.push(String(chunk));
      done();
    },
    writev: (chunks, done) => {
      sent.push(chunks.map(({ chunk }) => String(chunk)).join(''));
      done();
    },
  });
  gatherWrites(stream);
  for (const text of ['a', 'b', 'c']) stream.write(text);
  await new Promise(setImmediate);
  stream.write('d');
  stream.end();
  await finished(stream);
  expect(sent).toEqual(['abc', 'd']);
});
