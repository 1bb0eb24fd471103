import { testEnvironment } from '@claude-cli/shared/testing/environment';
import { ApiClient } from '../../scripts/api-client.ts';
import { type Platform, startPlatform } from '../../scripts/platform/platform.ts';
import { makeTempDir } from '../../scripts/platform/temp-dir.ts';
import { signIn } from './users.ts';

/** A whole platform of a test file's own: database, queues, data directory and ports are shared with nobody. */
export interface TestPlatform extends AsyncDisposable {
  platform: Platform;
  /** Without a token. */
  visitor: ApiClient;
  /** As the first account, which may do everything. */
  admin: ApiClient;
  jwtSecret: string;
  /** Empty directory for what commands leave behind. */
  scratch: string;
}

// Settings of whoever runs the tests that would make platforms share something, or differ from what the tests expect.
const notInherited = [
  ...['PORT', 'HOST', 'DATA_DIR', 'WORKSPACE_ROOT', 'ADMIN_USERNAME', 'ADMIN_PASSWORD', 'JWT_SECRET'],
  ...['WEBHOOK_ENCRYPTION_KEY', 'WEBHOOK_ENCRYPTION_KEY_FILE', 'WEBHOOK_ALLOW_PRIVATE_NETWORKS', 'WEBHOOK_PORTS'],
  'WEBHOOK_ALLOWED_NETWORKS',
  ...['ADMIN_PASSWORD_FILE', 'JWT_SECRET_FILE', 'SERVICE_SECRET', 'SERVICE_SECRET_FILE', 'CORS_ORIGINS'],
];

// Tests about something else send more than anybody may, on machines that may be slow.
const unhurried = {
  RATE_LIMIT_ANONYMOUS: '1000000',
  RATE_LIMIT_USER: '1000000',
  RATE_LIMIT_LOGIN: '1000000',
  MAX_EVENT_LOOP_DELAY_MS: '60000',
};

/** How a platform of a test differs from the usual. */
export interface TestPlatformOptions {
  /** Told of each line that a service writes. */
  hear?: HearLine;
  /** Of each app; 1 when absent. */
  replicas?: number;
}

/** Told of each line that a service writes. */
export type HearLine = (source: string, line: string) => void;

const show: HearLine = (source, line) => {
  if (process.env.E2E_LOG) process.stderr.write(`${source} ${line}\n`);
};

/** Start a platform and sign in. @param settings environment variables on top of the usual ones */
export async function startTestPlatform(
  settings: Record<string, string> = {},
  options: TestPlatformOptions = {},
): Promise<TestPlatform> {
  await using starting = new AsyncDisposableStack();
  const { MONGODB_URI = '', AMQP_URL = '', AMQP_PREFIX = '' } = starting.use(testEnvironment()).env;
  const started = starting.use(await startPlatformOn({ MONGODB_URI, AMQP_URL, AMQP_PREFIX, ...settings }, options));
  const running = starting.move();
  return { ...started, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

/** Start a platform on a store and a broker that are the caller's to clean up. @param settings that name them, and more */
export async function startPlatformOn(
  settings: Record<string, string>,
  { hear = show, replicas = 1 }: TestPlatformOptions = {},
): Promise<TestPlatform> {
  await using starting = new AsyncDisposableStack();
  const temp = starting.use(makeTempDir());
  const scratch = starting.use(makeTempDir());
  const inherited = Object.entries(process.env).filter(([name]) => !notInherited.includes(name));
  const platform = starting.use(
    await startPlatform({
      dataDir: temp.path,
      port: 0,
      env: { ...Object.fromEntries(inherited), LOG_LEVEL: 'warn', ...unhurried, ...settings },
      replicas,
      onLine: hear,
    }),
  );
  const visitor = new ApiClient(platform.url);
  const admin = await signIn(visitor, platform.adminUsername, platform.adminPassword);
  const running = starting.move();
  return {
    platform,
    visitor,
    admin,
    jwtSecret: platform.secrets.jwtSecret,
    scratch: scratch.path,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
