import { expect, test } from '@jest/globals';
import { maxSettingsBytes, mergedSettings } from './merged-settings.ts';

test('given keys replace present ones, the others stay', () => {
  expect(mergedSettings({ a: { deep: 1 }, b: 2 }, { a: null, c: 3 })).toEqual({ a: null, b: 2, c: 3 });
  expect(mergedSettings({ a: 1 })).toEqual({ a: 1 });
});

test('a key with a special meaning to JavaScript is a key like others', () => {
  const merged = mergedSettings({ a: 1 }, JSON.parse('{"__proto__": {"admin": true}}'));
  expect(Object.keys(merged)).toEqual(['a', '__proto__']);
  expect(merged.admin).toBeUndefined();
});

test('settings do not grow beyond their bound by being merged again and again', () => {
  const text = 'ä'.repeat(maxSettingsBytes / 4);
  const half = mergedSettings({}, { one: text });
  expect(() => mergedSettings(half, { two: text })).toThrow(
    expect.objectContaining({
      code: 'VALIDATION_VALUE_TOO_LONG',
      details: expect.objectContaining({ field: 'settings' }),
    }),
  );
  expect(mergedSettings(half, { one: text })).toEqual(half);
});
