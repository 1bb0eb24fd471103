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
  testTimeout: 30_000,
  maxWorkers: 2,
};
