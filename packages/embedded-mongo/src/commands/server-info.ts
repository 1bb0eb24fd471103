import os from 'node:os';
import process from 'node:process';
import { CommandError } from '../errors.ts';
import { maxDocumentBytes } from '../values.ts';
import { maxMessageBytes } from '../wire.ts';
import type { Command, CommandContext } from './command.ts';

const version = '7.0.0';
const empty: Command = { fields: 'sessions users all', run: () => ({}) };

function hello(context: CommandContext) {
  const primary = context.name === 'hello' ? { isWritablePrimary: true } : { ismaster: true };
  return {
    ...(context.args.helloOk === true && { helloOk: true }),
    ...primary,
    maxBsonObjectSize: maxDocumentBytes,
    maxMessageSizeBytes: maxMessageBytes,
    maxWriteBatchSize: 100_000,
    localTime: new Date(),
    logicalSessionTimeoutMinutes: 30,
    connectionId: context.client.connectionId,
    minWireVersion: 0,
    maxWireVersion: 21,
    readOnly: false,
  };
}

/** Drivers say here what they can do, newer ones more: nothing of that has to be understood. */
const greeting: Command = { fields: '*', run: hello };

function refuseLogin(): never {
  throw new CommandError('Unauthorized', 'this embedded server has no users: connect without credentials');
}

/** Commands about the server itself. */
export const serverCommands: Record<string, Command> = {
  hello: greeting,
  isMaster: greeting,
  ismaster: greeting,
  ping: { fields: '', run: () => ({}) },
  buildInfo: {
    fields: '',
    run: () => ({
      version,
      versionArray: [7, 0, 0, 0],
      gitVersion: 'embedded-mongo',
      modules: ['embedded-mongo'],
      bits: 64,
      debug: false,
      maxBsonObjectSize: maxDocumentBytes,
      storageEngines: ['embedded-mongo'],
      javascriptEngine: 'none',
    }),
  },
  serverStatus: {
    fields: 'repl metrics locks opLatencies',
    run: ({ store, cursors, port }) => ({
      host: `127.0.0.1:${port}`,
      version,
      process: 'embedded-mongo',
      pid: process.pid,
      uptime: process.uptime(),
      localTime: new Date(),
      mem: { resident: Math.round(process.memoryUsage.rss() / 2 ** 20) },
      metrics: { cursor: { open: { total: cursors.size } } },
      catalogStats: { collections: store.collections.length },
      storageEngine: { name: 'embedded-mongo', supportsCommittedReads: false, persistent: true },
    }),
  },
  hostInfo: {
    fields: '',
    run: () => ({
      system: { currentTime: new Date(), hostname: os.hostname(), numCores: os.availableParallelism() },
      os: { type: os.type(), name: os.platform(), version: os.release() },
    }),
  },
  getCmdLineOpts: { fields: '', run: () => ({ argv: ['embedded-mongo'], parsed: {} }) },
  getLog: { fields: '', run: () => ({ totalLinesWritten: 0, log: [] }) },
  getParameter: {
    fields: 'featureCompatibilityVersion allParameters',
    run({ args }) {
      if (args.featureCompatibilityVersion === undefined)
        throw new CommandError('InvalidOptions', 'no option found to get');
      return { featureCompatibilityVersion: { version: '7.0' } };
    },
  },
  connectionStatus: {
    fields: 'showPrivileges',
    run: () => ({ authInfo: { authenticatedUsers: [], authenticatedUserRoles: [], authenticatedUserPrivileges: [] } }),
  },
  whatsmyuri: { fields: '', run: ({ client }) => ({ you: client.address }) },
  endSessions: empty,
  killSessions: empty,
  killAllSessions: empty,
  refreshSessions: empty,
  startSession: empty,
  logout: empty,
  saslStart: { fields: 'mechanism payload options autoAuthorize', run: refuseLogin },
  saslContinue: { fields: 'conversationId payload', run: refuseLogin },
  authenticate: { fields: 'mechanism user', run: refuseLogin },
};
