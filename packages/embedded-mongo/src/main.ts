import process from 'node:process';
import { startServer } from './server.ts';

const { EMBEDDED_MONGO_PORT = '27017', EMBEDDED_MONGO_DIR } = process.env;

const server = await startServer({
  port: Number(EMBEDDED_MONGO_PORT),
  ...(EMBEDDED_MONGO_DIR && { dataDir: EMBEDDED_MONGO_DIR }),
  log: (message) => process.stderr.write(`embedded-mongo: ${message}\n`),
});
process.stdout.write(`listening on ${server.uri}\n`);

// Whoever started it may hold a channel to it open, which would keep the process from ending by itself.
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => server.close().then(() => process.exit(0)));
