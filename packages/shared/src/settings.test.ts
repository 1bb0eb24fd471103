import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import {
  readSecretFiles,
  readSettings,
  type SettingName,
  secretSettings,
  settings,
  settingsTable,
} from './settings.ts';

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

  describe('that are secret', () => {
    const directory = mkdtempSync(join(tmpdir(), 'secrets-'));
    afterAll(() => rmSync(directory, { recursive: true }));
    const secret = 'a'.repeat(32);
    const fileWith = (name: string, content: string) => {
      writeFileSync(join(directory, name), content);
      return join(directory, name);
    };

    test('may be in files, whose last line break does not count', () => {
      for (const ending of ['', '\n', '\r\n']) {
        const env = { JWT_SECRET_FILE: fileWith('jwt', secret + ending), JWT_SECRET: '' };
        expect(readSettings(['JWT_SECRET'], env).JWT_SECRET).toEqual([secret]);
      }
      const AMQP_URL_FILE = fileWith('amqp', 'amqps://user:pw@broker\n');
      expect(readSettings(['AMQP_URL'], { AMQP_URL_FILE }).AMQP_URL).toBe('amqps://user:pw@broker');
    });

    test('are refused by name when given twice, wrong, empty or in a file that cannot be read', () => {
      const read = (env: Record<string, string>) => () => readSettings(['JWT_SECRET', 'PORT'], env);
      const JWT_SECRET_FILE = fileWith('jwt', secret);
      expect(read({ JWT_SECRET: secret, JWT_SECRET_FILE })).toThrow(/JWT_SECRET: is given twice/);
      expect(read({ JWT_SECRET_FILE: join(directory, 'none') })).toThrow(/JWT_SECRET_FILE: .*none cannot be read/);
      expect(read({ JWT_SECRET_FILE: fileWith('empty', '\n') })).toThrow(/JWT_SECRET_FILE: .*is empty/);
      const short = read({ JWT_SECRET_FILE: fileWith('short', 'hunter2'), PORT: 'x' });
      expect(short).toThrow(/JWT_SECRET: .*32 characters; PORT/);
      expect(short).not.toThrow(/hunter2/);
    });

    test('are handed on as variables by who starts others', () => {
      const env = { JWT_SECRET_FILE: fileWith('jwt', secret), PORT: '1' };
      expect(readSecretFiles(env)).toEqual({ JWT_SECRET: secret, PORT: '1' });
    });

    test('are those that hold a password or a key, and the table names the file of each', () => {
      const holding = Object.keys(settings).filter((name) => /SECRET|PASSWORD|_KEY$|^(MONGODB|AMQP|REDIS)_/.test(name));
      const others = ['GRPC_TLS_KEY', 'AMQP_PREFIX', 'AMQP_BUNDLES'];
      expect(new Set(secretSettings)).toEqual(new Set(holding.filter((name) => !others.includes(name))));
      for (const name of secretSettings) expect(settingsTable()).toContain(`\`${name}\`, \`${name}_FILE\``);
    });
  });

  test('every setting is described, and the README shows the table as it is', () => {
    for (const name of Object.keys(settings) as SettingName[]) expect(settings[name].description).toBeTruthy();
    const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
    expect(readme).toContain(settingsTable());
  });
});
