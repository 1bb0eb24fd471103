// Usage: npm run migrate
import { onInterrupt } from './interrupt.ts';
import { reportFailure, SetupError } from './platform/setup-error.ts';
import { withDatabase } from './platform/store.ts';
import { generate } from './tools.ts';

const help = `Makes the indexes that the services count on, and drops those of earlier versions, in all their databases.

  MONGODB_URI=mongodb://… npm run migrate

Before a new version is started: its services make no indexes themselves and wait for this. It can be repeated at any time, and
interrupted: what was made stays. npm start does it by itself.
`;

async function main(args: string[]): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    console.log(help);
    return 0;
  }
  if (args.length > 0) throw new SetupError(`Unknown argument ${args[0]}: see npm run migrate -- --help.`);
  const { MONGODB_URI: uri } = process.env;
  if (!uri) throw new SetupError('MONGODB_URI is unset: name the MongoDB whose databases are to be migrated.');
  const signal = onInterrupt();
  if ((await generate(signal)) !== 0) throw new SetupError('Generating code from the contract failed: mend it first.');
  // Only now there is the generated code that the models need.
  const { migrateAll } = await import('./platform/migrate-all.ts');
  for (const [name, made] of await migrateAll(withDatabase(uri), process.env.LOG_LEVEL ?? 'info')) {
    console.log(`${name}: ${made.length === 0 ? 'nothing was lacking' : `made ${made.join(', ')}`}`);
  }
  return 0;
}

process.exit(
  await main(process.argv.slice(2)).catch((cause) =>
    process.exitCode ? Number(process.exitCode) : reportFailure(cause),
  ),
);
