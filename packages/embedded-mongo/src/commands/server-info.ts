import os from 'node:os';
import process from 'node:process';
import { CommandError } from '../errors.ts';
import { type Doc, maxDocumentBytes } from '../values.ts';
import { maxMessageBytes } from '../wire.ts';
import type { Command, CommandContext } from './command.ts';

const version = '7.0.0';

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

function always(fields: string, reply: Doc = {}): Command {
  return { fields, run: () => reply };
}

/** Drivers say here what they can do, newer ones more: nothing of that has to be understood. */
const greeting: Command = { fields: '*', run: hello };
const session = always('sessions users all');
const login: Command = {
  fields: '*',
  run: () => {
    throw new CommandError('Unauthorized', 'this embedded server has no users: connect without credentials');
  },
};

/** Commands about the server itself. */
export const serverCommands: Record<string, Command> = {
  hello: greeting,
  isMaster: greeting,
  ismaster: greeting,
  ping: always(''),
  buildInfo: always('', {
    version,
    versionArray: [7, 0, 0, 0],
    gitVersion: 'embedded-mongo',
    modules: ['embedded-mongo'],
    bits: 64,
    debug: false,
    maxBsonObjectSize: maxDocumentBytes,
  }),
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
      storageEngine: { name: 'embedded-mongo', persistent: true },
    }),
  },
  hostInfo: always('', { system: { hostname: os.hostname() }, os: { type: os.type(), name: os.platform() } }),
  getCmdLineOpts: always('', { argv: ['embedded-mongo'], parsed: {} }),
  getLog: always('', { totalLinesWritten: 0, log: [] }),
  getParameter: always('featureCompatibilityVersion', { featureCompatibilityVersion: { version: '7.0' } }),
  connectionStatus: always('showPrivileges', { authInfo: { authenticatedUsers: [], authenticatedUserRoles: [] } }),
  whatsmyuri: { fields: '', run: ({ client }) => ({ you: client.address }) },
  endSessions: session,
  killSessions: session,
  killAllSessions: session,
  refreshSessions: session,
  startSession: session,
  logout: session,
  saslStart: login,
  saslContinue: login,
  authenticate: login,
};
