import { Readable } from 'node:stream';
import type { Role } from '@claude-cli/shared/caller';
import { RpcChannel } from '@claude-cli/shared/grpc/client';
import type { RpcDefinition } from '@claude-cli/shared/grpc/definition';
import { type Call, type ServedService, startGrpcServer } from '@claude-cli/shared/grpc/server';
import { createLogger } from '@claude-cli/shared/logger';
import type { MaintenanceWatch } from '@claude-cli/shared/maintenance';
import { connectRedis } from '@claude-cli/shared/redis';
import { readSettings } from '@claude-cli/shared/settings';
import { testTrust } from '@claude-cli/shared/testing/trust';
import { signToken } from '@claude-cli/shared/tokens';
import { gatewaySettings } from '../config.ts';
import { contextOf } from '../context.ts';
import { type Contract, loadContract } from '../contract/contract.ts';
import type { Refusals } from '../http/refusals.ts';
import { type Patience, startGateway } from '../http/server.ts';

/** Secrets that the gateway of a test accepts: the one in use and an older one. */
export const secrets = ['the secret in use: at least 32 characters', 'an older secret: at least 32 characters'];

/** Id for wherever an id is asked for. */
export const anId = '01890000-0000-7000-8000-000000000001';

// Tests about something else send more than anybody may, on machines that may be slow.
const patience = {
  RATE_LIMIT_ANONYMOUS: '100000',
  RATE_LIMIT_USER: '100000',
  RATE_LIMIT_LOGIN: '100000',
  MAX_EVENT_LOOP_DELAY_MS: '60000',
};

/** The user who has a role, by its account. */
export const idOf: Readonly<Record<Role, string>> = {
  admin: anId,
  developer: '01890000-0000-7000-8000-000000000002',
  viewer: '01890000-0000-7000-8000-000000000003',
};

type Message = Record<string, unknown>;
type Answer = (request: Message, call: Call) => unknown;

/** A call that reached the services behind the gateway. */
export interface SeenCall {
  rpc: string;
  request: Message;
  call: Call;
}

/** The gateway with one gRPC server that stands for all services behind it. */
export interface TestGateway extends AsyncDisposable {
  url: string;
  port: number;
  /** What the services answer, by "TaskService.getTask"; an empty message where nothing is set. */
  answers: Map<string, Answer>;
  calls: SeenCall[];
  maintenance: MaintenanceWatch;
  refusals: Refusals;
  /** Forget what the services were told to answer, and what they were asked. */
  reset(): void;
  /** Everything that was logged, as text. */
  logged(): string;
  /** Stop the services, not the gateway. */
  stopServices(): Promise<void>;
}

/** How the gateway of a test differs from one in service. */
export interface Difference {
  /** Address of the services instead of the server that stands for them. */
  address?: string;
  /** Deadline of every endpoint. */
  deadlineMs?: number;
  patience?: Patience;
}

/** Start the gateway on a free port. @param env settings that differ from the defaults */
export async function startTestGateway(
  env: Record<string, string> = {},
  difference: Difference = {},
): Promise<TestGateway> {
  await using stack = new AsyncDisposableStack();
  const answers: TestGateway['answers'] = new Map([['AuthService.checkUser', accountState]]);
  const calls: SeenCall[] = [];
  const lines: string[] = [];
  const log = createLogger('gateway', 'debug', { write: (line) => void lines.push(line) });
  const grpc = await startGrpcServer({
    host: '127.0.0.1',
    port: 0,
    services: await everyService(answers, calls),
    ctx: {},
    log: createLogger('services', 'silent'),
    trust: testTrust,
  });
  stack.defer(() => grpc.stop(100));
  const channel = new RpcChannel(difference.address ?? `127.0.0.1:${grpc.port}`, testTrust);
  stack.defer(() => channel.close());
  const settings = { ...patience, PORT: '0', JWT_SECRET: secrets.join(','), SHUTDOWN_GRACE_MS: '2000', ...env };
  const config = readSettings(gatewaySettings, settings);
  const redis = config.REDIS_URL === undefined ? undefined : stack.use(connectRedis(config.REDIS_URL, log)).client;
  const ctx = contextOf(config, log, () => channel, redis);
  stack.use(ctx.overload);
  const { port } = stack.use(await startGateway(ctx, withDeadline(difference.deadlineMs), difference.patience));
  const running = stack.move();
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    answers,
    calls,
    maintenance: ctx.maintenance,
    refusals: ctx.refusals,
    reset: () => {
      answers.clear();
      answers.set('AuthService.checkUser', accountState);
      calls.length = 0;
    },
    logged: () => lines.join(''),
    stopServices: () => grpc.stop(0),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

function withDeadline(deadlineMs: number | undefined): Contract {
  const contract = loadContract();
  if (deadlineMs === undefined) return contract;
  const restOf: Contract['restOf'] = (method) => {
    const rest = contract.restOf(method);
    return rest && { ...rest, deadlineMs };
  };
  return { ...contract, restOf };
}

/** What project-service answers about the accounts of the tests. */
function accountState({ user_id }: Message): object {
  const role = Object.entries(idOf).find(([, id]) => id === user_id)?.[0] ?? 'developer';
  return { role, tier: 'standard', disabled: false, token_version: 0, revoked_token_ids: [] };
}

/** A bearer token for the Authorization header. */
export function bearer(role: Role = 'admin', expiresInSeconds = 60, signedWith: readonly string[] = secrets): string {
  return `Bearer ${signToken(signedWith, { id: idOf[role] ?? anId, username: 'someone', role }, expiresInSeconds)}`;
}

/** What came back over HTTP. */
export interface Reply {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into envelopes of every shape
  json: any;
}

/** Ask the gateway as an admin; the body is sent as JSON unless it is text already. */
export async function ask(
  gateway: TestGateway,
  method: string,
  path: string,
  options: { body?: unknown; headers?: Record<string, string>; anonymous?: boolean } = {},
): Promise<Reply> {
  const { body } = options;
  const response = await fetch(gateway.url + path, {
    method,
    headers: {
      ...(!options.anonymous && { authorization: bearer() }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(body !== undefined && { body: isRaw(body) ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    json: isJson(response) && text ? JSON.parse(text) : undefined,
  };
}

function isJson({ headers }: Response): boolean {
  return headers.get('content-type')?.startsWith('application/json') ?? false;
}

function isRaw(body: unknown): body is string | Uint8Array<ArrayBuffer> {
  return typeof body === 'string' || body instanceof Uint8Array;
}

async function everyService(answers: TestGateway['answers'], calls: SeenCall[]): Promise<ServedService<unknown>[]> {
  const contract = loadContract();
  const behind = contract.services.filter((service) => contract.ownerOf(service) !== 'gateway');
  return Promise.all(
    behind.map(async (service) => {
      const module = await import(`@claude-cli/proto/${service.file.name.replace(/\.proto$/, '')}`);
      const definition: RpcDefinition = module[`${service.name}Service`];
      const handlers = Object.entries(definition).map(([rpc, { responseDeserialize, responseStream }]) => {
        const handler = async (_ctx: unknown, request: never, call: Call) => {
          const name = `${service.name}.${rpc}`;
          // Whoever is let in is asked about; that is no call that a test makes.
          if (name !== 'AuthService.checkUser') calls.push({ rpc: name, request, call });
          const answer = answers.get(name)?.(request, call);
          if (responseStream) return answer ?? Readable.from([]);
          const empty = responseDeserialize(Buffer.alloc(0));
          return { ...empty, ...((await answer) as object | undefined) };
        };
        return [rpc, handler] as const;
      });
      return { definition, handlers: Object.fromEntries(handlers) };
    }),
  );
}
