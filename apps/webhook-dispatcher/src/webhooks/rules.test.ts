import { permissionsOf } from '@claude-cli/shared/caller';
import { describe, expect, test } from '@jest/globals';
import { checkHeaders, wantedEvents } from './rules.ts';

describe('headers of a webhook', () => {
  test.each([
    ['Host'],
    ['content-length'],
    ['Content-Type'],
    ['Transfer-Encoding'],
    ['Proxy-Authorization'],
    ['X-Signature-256'],
    ['x-delivery-id'],
    ['webhook-signature'],
    ['name with blanks'],
    ['naïve'],
    [''],
    ['x'.repeat(101)],
  ])('cannot be named %p', (name) => {
    expect(() => checkHeaders({ [name]: 'value' })).toThrow('Invalid input data');
  });

  test.each([['line\r\nbreak'], ['ü'], ['nul\0']])('cannot have the value %p', (value) => {
    expect(() => checkHeaders({ 'X-Name': value })).toThrow('Invalid input data');
  });

  test('are each there once, whatever its case, and not too many to be sent', () => {
    expect(() => checkHeaders({ 'X-Name': '1', 'x-name': '2' })).toThrow('Invalid input data');
    expect(() => checkHeaders({ 'X-A': 'x'.repeat(5_000), 'X-B': 'x'.repeat(5_000) })).toThrow('Invalid input data');
    expect(() => checkHeaders({ Authorization: 'Bearer abc', Cookie: 'a=b', 'X-Name': '' })).not.toThrow();
  });
});

describe('events of a webhook', () => {
  test('are each there once, and of types that there are', () => {
    const developer = { permissions: permissionsOf.developer };
    expect(wantedEvents(['task.failed', '*', 'task.failed'], null, developer)).toEqual(['task.failed', '*']);
    expect(() => wantedEvents(['task.exploded'], null, developer)).toThrow('Invalid input data');
    expect(() => wantedEvents(['command.output'], null, developer)).toThrow('Invalid input data');
  });
});
