import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type OutputLine, OutputMerge } from './output-merge.ts';

// Few times and few texts, so that equal pieces of one moment are common.
const lines = fc
  .array(fc.record({ at: fc.nat(3), content: fc.constantFrom('a', 'b') }), { maxLength: 12 })
  .map((pieces) => pieces.sort((one, other) => one.at - other.at))
  .map((pieces) => pieces.map(({ at, content }): OutputLine => ({ stream: 'stdout', content, timestamp: `T${at}` })));

test('stored output and the live output after it, which overlap, are told once and in order', () => {
  fc.assert(
    fc.property(lines, fc.nat(12), fc.nat(12), (all, storedTo, liveFrom) => {
      // Batches are whole moments: live output begins with the first piece of one.
      const start = all.findIndex(({ timestamp }) => timestamp >= `T${liveFrom % 4}`);
      const live = start < 0 ? [] : all.slice(start);
      const stored = all.slice(0, Math.max(storedTo, start < 0 ? all.length : start));
      const merge = new OutputMerge();
      const told = [...stored.filter(merge.telling()), ...live.filter(merge.telling()), ...all.filter(merge.telling())];
      expect(told).toEqual(all);
    }),
  );
});

test('a note of the runner that was made later hides nothing of what follows it', () => {
  const piece = (timestamp: string, stream = 'stdout'): OutputLine => ({ stream, content: timestamp, timestamp });
  const stored = [piece('T1'), piece('T9', 'system'), piece('T2'), piece('T3')];
  const merge = new OutputMerge();
  expect(stored.filter(merge.telling())).toEqual(stored);
  expect([...stored, piece('T4')].filter(merge.telling())).toEqual([piece('T4')]);
});
