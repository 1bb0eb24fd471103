import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export default {
  extensionsToTreatAsEsm: ['.ts'],
  testEnvironment: 'node',
  testMatch: ['<rootDir>/**/*.test.ts'],
  transform: {
    '\\.ts$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2024' },
        module: { type: 'es6' },
        sourceMaps: 'inline',
        swcrc: false,
      },
    ],
  },
  // gen/ holds ESM TypeScript of our own; everything else below node_modules runs as published.
  transformIgnorePatterns: ['/node_modules/(?!@claude-cli/)'],
  // Store and broker for tests that are run without `npm test` at the root.
  globalSetup: here('./scripts/jest/setup.mjs'),
  globalTeardown: here('./scripts/jest/teardown.mjs'),
  // Generous, for machines that are slow at the moment: what hangs fails late, but nothing else fails.
  testTimeout: 300_000,
  maxWorkers: 2,
};
