import { describe, expect, test } from '@jest/globals';
import { parseByteSize } from './byte-size.ts';

describe('a size', () => {
  test.each([
    ['0B', 0],
    ['512b', 512],
    ['10MB', 10_485_760],
    ['1gb', 1_073_741_824],
    ['1.5KB', 1_536],
    ['0.3B', 0],
    ['2TB', 2_199_023_255_552],
  ])('%s is %i bytes', (text, bytes) => expect(parseByteSize(text)).toBe(bytes));

  test.each(['', 'GB', '1', '1 GB', '-1GB', '1GiB', '1.GB', '1PB'])('%j is refused', (text) =>
    expect(() => parseByteSize(text)).toThrow(RangeError),
  );
});
