import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Document, MongoClient } from 'mongodb';
import { type ServerOptions, startServer } from './server.ts';

/** A server in memory with a client of the official driver; disposing closes both. */
export async function connected(options: ServerOptions = {}) {
  const server = await startServer(options);
  const client = new MongoClient(server.uri);
  return {
    server,
    client,
    db: client.db('test'),
    async [Symbol.asyncDispose]() {
      await client.close();
      await server.close();
    },
  };
}

/** A folder that is gone when it is disposed. */
export async function temporaryFolder() {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'embedded-mongo-'));
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}

/** The server as a process of its own; disposing kills it. */
export async function launched(dir: string, shellPrefix = '') {
  const main = fileURLToPath(new URL('./main.ts', import.meta.url));
  const child: ChildProcess = spawn('bash', ['-c', `${shellPrefix} exec "${process.execPath}" "${main}"`], {
    env: { ...process.env, NODE_OPTIONS: '', EMBEDDED_MONGO_PORT: '0', EMBEDDED_MONGO_DIR: dir },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let errors = '';
  child.stderr?.on('data', (chunk) => {
    errors += String(chunk);
  });
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const kill = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    return exited;
  };
  let uri: string | undefined;
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    uri = /^listening on (\S+)$/.exec(line)?.[1];
    if (uri) break;
  }
  if (!uri) throw new Error(`the server did not start: ${errors}`);
  const client = new MongoClient(uri);
  return {
    uri,
    client,
    db: client.db('test'),
    kill,
    async [Symbol.asyncDispose]() {
      await client.close();
      await kill('SIGKILL');
    },
  };
}

/** The stages of a winning plan, from the outside in. */
export function stagesOf(explained: Document): Document[] {
  const stages: Document[] = [];
  for (let stage = explained.queryPlanner.winningPlan; stage; stage = stage.inputStage) stages.push(stage);
  return stages;
}

/** The names of those stages. */
export function stageNames(explained: Document): string[] {
  return stagesOf(explained).map(({ stage }) => stage as string);
}
