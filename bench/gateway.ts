/**
 * GET /api/tasks/{id} through the gateway, against (a) bare express and (b) express with passport-jwt and one gRPC hop
 * written by hand, all with the same gRPC service behind. Alternating rounds, medians. Run: node bench/gateway.ts
 */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { type AccountState, AuthServiceService } from '@claude-cli/proto/platform/v1/auth';
import { type TaskDetail, TaskServiceService } from '@claude-cli/proto/platform/v1/tasks';
import { signToken } from '@claude-cli/shared/tokens';
import { Client, credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import express from 'express';
import passport from 'passport';
import { ExtractJwt, Strategy } from 'passport-jwt';
import { processorTime } from './measures/processor-time.ts';

const rounds = Number(process.env.ROUNDS ?? 7);
const seconds = Number(process.env.SECONDS ?? 4);
const connections = 32;
const secret = 'a secret of the benchmark of forty characters';
const taskId = '01890000-0000-7000-8000-000000000001';
const userId = '01890000-0000-7000-8000-000000000002';

const account: AccountState = {
  username: 'bench',
  role: 'developer',
  tier: 'standard',
  disabled: false,
  token_version: 0,
  revoked_token_ids: [],
};

const task: TaskDetail = {
  id: taskId,
  title: 'Implement user authentication',
  description: 'Add JWT-based authentication to the API',
  project_id: '01890000-0000-7000-8000-000000000003',
  status: 'running',
  priority: 1,
  progress_percentage: 45,
  estimated_duration: '02:30:00',
  actual_duration: '01:15:30',
  assigned_to: userId,
  created_by: userId,
  created_at: '2025-07-30T12:00:00.000Z',
  updated_at: '2025-07-30T13:30:00.000Z',
  started_at: '2025-07-30T12:15:00.000Z',
  tags: ['authentication', 'security'],
  metadata: { component: 'backend', complexity: 'medium' },
  dependencies: [
    {
      id: '01890000-0000-7000-8000-000000000004',
      depends_on_task_id: '01890000-0000-7000-8000-000000000005',
      dependency_type: 'blocks',
      task: { title: 'Setup database schema', status: 'completed' },
    },
  ],
  history: [
    {
      timestamp: '2025-07-30T12:15:00.000Z',
      action: 'status_changed',
      old_value: 'pending',
      new_value: 'running',
      user_id: userId,
    },
  ],
};

/** Parts of this benchmark that run in processes of their own; each sends its port. */
const roles: Record<string, (upstream: string) => void> = {
  upstream: () => {
    const server = new Server();
    server.addService(
      { getTask: TaskServiceService.getTask, checkUser: AuthServiceService.checkUser },
      {
        getTask: (_call: unknown, reply: (error: null, answer: TaskDetail) => void) => reply(null, task),
        checkUser: (_call: unknown, reply: (error: null, answer: AccountState) => void) => reply(null, account),
      },
    );
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_error, port) => process.send?.(port));
  },
  bare: () => {
    const app = express().disable('x-powered-by').disable('etag');
    app.get('/api/tasks/:task_id', (_request, response) => void response.json({ data: task, error: null }));
    listen(app);
  },
  byHand: (upstream) => {
    const client = new Client(upstream, credentials.createInsecure());
    const { path, requestSerialize, responseDeserialize } = TaskServiceService.getTask;
    passport.use(
      new Strategy(
        { jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(), secretOrKey: secret, algorithms: ['HS256'] },
        (claims, done) => done(null, claims),
      ),
    );
    const app = express().disable('x-powered-by').disable('etag');
    app.get('/api/tasks/:task_id', passport.authenticate('jwt', { session: false }), (request, response) => {
      const message = { task_id: String(request.params.task_id) };
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, message, (error, data) => {
        if (error) return void response.status(502).end();
        response
          .setHeader('Content-Type', 'application/json; charset=utf-8')
          .end(JSON.stringify({ data, error: null }));
      });
    });
    listen(app);
  },
};

function listen(app: express.Express): void {
  const server = app.listen(0, '127.0.0.1', () => {
    const address = server.address();
    process.send?.(typeof address === 'object' ? address?.port : undefined);
  });
}

interface Result {
  /** Microseconds of processor time that the server spent per request: far less moved by neighbours than requests/s. */
  processor: number;
  requests: { average: number; total: number };
  latency: { p50: number; p99: number };
  non2xx: number;
  statusCodeStats: object;
  errors: number;
}

type Autocannon = (options: object) => Promise<Omit<Result, 'processor'>>;

interface Started {
  port: number;
  pid: number | undefined;
}

async function compare(): Promise<void> {
  const autocannon: Autocannon = createRequire(import.meta.url)('autocannon');
  const children: ChildProcess[] = [];
  const start = async (role: string, upstream = ''): Promise<Started> => {
    const child = fork(new URL(import.meta.url), [role, upstream]);
    children.push(child);
    const port = await new Promise<number>((resolve) => child.once('message', (port) => resolve(Number(port))));
    return { port, pid: child.pid };
  };
  try {
    const upstream = `127.0.0.1:${(await start('upstream')).port}`;
    const servers = {
      'bare express': await start('bare'),
      'express + passport-jwt + gRPC by hand': await start('byHand', upstream),
      gateway: await startGateway(upstream, children),
    };
    const token = signToken([secret], { id: userId, username: 'bench', role: 'developer' }, 3600);
    const measure = async ({ port, pid }: Started): Promise<Result> => {
      const before = processorTime(pid);
      const result = await autocannon({
        url: `http://127.0.0.1:${port}/api/tasks/${taskId}`,
        headers: { authorization: `Bearer ${token}` },
        connections,
        duration: seconds,
      });
      return { ...result, processor: (processorTime(pid) - before) / result.requests.total };
    };
    const results: Record<string, Result[]> = {};
    // The compilers of V8 need some thousands of requests.
    for (const server of Object.values(servers)) for (let n = 0; n < 3; n++) await measure(server);
    for (let round = 0; round < rounds; round++) {
      for (const [name, server] of Object.entries(servers)) {
        const result = await measure(server);
        if (result.non2xx + result.errors > 0)
          throw new Error(`${name}: ${result.errors} connections failed, ${JSON.stringify(result.statusCodeStats)}`);
        results[name] = [...(results[name] ?? []), result];
      }
    }
    report(results);
  } finally {
    for (const child of children) child.kill();
  }
}

function startGateway(upstream: string, children: ChildProcess[]): Promise<Started> {
  const main = new URL('../apps/gateway/src/main.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [main], {
    env: {
      ...{ PATH: process.env.PATH, HOST: '127.0.0.1', PORT: '0', GRPC_PORT: '0', ADMIN_PORT: '0' },
      ...{
        JWT_SECRET: secret,
        SERVICE_SECRET: secret,
        TASK_SERVICE_ADDRESS: upstream,
        PROJECT_SERVICE_ADDRESS: upstream,
        LOG_LEVEL: 'info',
      },
      // Counted like any other, but never too many.
      RATE_LIMIT_USER: '1000000000',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  let output = '';
  child.once('exit', (code, signal) => {
    if (signal !== 'SIGTERM' && code !== 0) console.error(`the gateway ended (${code ?? signal}):\n${output}`);
  });
  return new Promise((resolve, reject) => {
    child.once('exit', () => reject(new Error('the gateway did not start')));
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-10_000);
      const port = /"port":(\d+)/.exec(text)?.[1];
      if (port) resolve({ port: Number(port), pid: child.pid });
    });
  });
}

function report(results: Record<string, Result[]>): void {
  const rows = Object.entries(results).map(([name, all]) => ({
    name,
    'requests/s': Math.round(median(all.map(({ requests }) => requests.average))),
    'p50 ms': median(all.map(({ latency }) => latency.p50)),
    'p99 ms': median(all.map(({ latency }) => latency.p99)),
    'CPU µs/request': Math.round(median(all.map(({ processor }) => processor))),
  }));
  console.table(rows);
  const [bare, byHand, gateway] = rows.map((row) => row['requests/s']);
  const [, byHandCpu, gatewayCpu] = rows.map((row) => row['CPU µs/request']);
  console.log(`gateway / bare express: ${ratio(gateway, bare)}`);
  console.log(`gateway / by hand:      ${ratio(gateway, byHand)}  (target: at least 0.6)`);
  console.log(`by hand / gateway, by processor time: ${ratio(byHandCpu, gatewayCpu)}`);
}

function ratio(a = 0, b = Number.NaN): string {
  return (a / b).toFixed(2);
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const [role, upstream] = process.argv.slice(2);
if (role) roles[role]?.(upstream ?? '');
else await compare();
