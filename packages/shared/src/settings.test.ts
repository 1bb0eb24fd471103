import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { readSettings, type SettingName, settings, settingsTable } from './settings.ts';

describe('settings', () => {
  test('an absent variable takes its default, and an empty one counts as absent', () => {
    expect(readSettings(['PORT', 'HOST'], { HOST: '' })).toEqual({ PORT: 8000, HOST: '127.0.0.1' });
  });

  test('wrong variables are named together, without their values', () => {
    const read = () =>
      readSettings(['PORT', 'AMQP_URL', 'JWT_SECRET'], { PORT: '70000', AMQP_URL: 'http://user:pw@x' });
    expect(read).toThrow(/PORT: .*AMQP_URL: .*JWT_SECRET: is required/);
    expect(read).not.toThrow(/pw/);
  });

  test('a secret may be followed by older ones', () => {
    const [one, two] = ['a'.repeat(32), 'b'.repeat(32)];
    expect(readSettings(['JWT_SECRET'], { JWT_SECRET: `${one}, ${two}` }).JWT_SECRET).toEqual([one, two]);
    expect(() => readSettings(['JWT_SECRET'], { JWT_SECRET: `${one},short` })).toThrow(/32 characters/);
  });

  test('every setting is described, and the README shows the table as it is', () => {
    for (const name of Object.keys(settings) as SettingName[]) expect(settings[name].description).toBeTruthy();
    const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
    expect(readme).toContain(settingsTable());
  });
});
