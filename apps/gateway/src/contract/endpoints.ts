import type { DescField, DescMessage, DescService } from '@bufbuild/protobuf';
import type { Permission } from '@claude-cli/shared/caller';
import { type ErrorCode, isErrorCode } from '@claude-cli/shared/errors';
import { commentOf } from './comments.ts';
import { type Contract, loadContract } from './contract.ts';

/** Who may call: everyone, whoever has signed in, or whoever has a permission. */
export type Access = 'everyone' | 'signed_in' | Permission;

const accessLevels: readonly string[] = ['everyone', 'signed_in', 'read', 'write', 'execute', 'admin'];
const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

/** HTTP method of an endpoint. */
export type HttpMethod = (typeof methods)[number];

/** A public REST endpoint: everything that routes, validation, calls, answers and documents are derived from. */
export interface Endpoint {
  /** Unique name: "TaskService.GetTask". */
  name: string;
  /** Name of the RPC in generated code: "getTask". */
  rpc: string;
  service: DescService;
  /** The app that serves it; "gateway" is this process. */
  owner: string;
  method: HttpMethod;
  /** "/api/tasks/{task_id}" */
  path: string;
  /** Names of the fields that the path holds. */
  pathParameters: readonly string[];
  /** Where the other fields come from. */
  input: 'query' | 'body';
  /** HTTP status of success. */
  status: number;
  access: Access;
  paginated: boolean;
  /** Answered by server-sent events, for as long as the caller listens. */
  streams: boolean;
  /** Longest wait for the owner, in milliseconds. */
  deadlineMs: number;
  /** Error codes of its own, besides those that follow from its access, input and method. */
  errors: readonly ErrorCode[];
  request: DescMessage;
  response: DescMessage;
  comment: string;
}

const defaultDeadlineMs = 10_000;

/** Field of a stream that the header Last-Event-ID goes into: the last event that the caller has. */
export const resumeField = 'since';

/** Field that the gateway fills with the names of the fields that a caller sent as null; callers never see it. */
export const clearedFields = 'cleared_fields';

/** Whether an Idempotency-Key is looked at: keys are of users, and for what must not be done twice. */
export function takesIdempotencyKey({ method, access }: Endpoint): boolean {
  return method === 'POST' && access !== 'everyone';
}

/** Methods which create under the id that the request gives them, so that of attempts at the same time one does. */
const createsUnderGivenId: ReadonlySet<string> = new Set([
  'ProjectService.CreateProject',
  'SessionService.CreateSession',
  'TaskService.CreateTask',
  'TaskService.ExecuteTask',
  'WebhookService.CreateWebhook',
]);

/** Whether a repetition finds what an earlier attempt has created, even where that is still at work. */
export function isFoundAgain({ name }: Pick<Endpoint, 'name'>): boolean {
  return createsUnderGivenId.has(name);
}

/** Whether a maintenance stops it: what writes, but signing in and out must go on, and so must ending the maintenance. */
export function isStoppedByMaintenance({ method, name }: Endpoint): boolean {
  return method !== 'GET' && !/^(AuthService|MaintenanceService)\./.test(name);
}

/** Fields that callers may send. */
export function acceptedFields(message: DescMessage): readonly DescField[] {
  return message.fields.filter((field) => field.name !== clearedFields);
}

/**
 * The public endpoints of the contract, those with fixed paths before those with parameters.
 * @throws Error when an endpoint contradicts itself or another one
 */
export function endpointsOf(contract: Contract = loadContract()): readonly Endpoint[] {
  const endpoints = contract.services.flatMap((service) =>
    service.methods.flatMap((method) => {
      const rest = contract.restOf(method);
      if (!rest) return [];
      const path = rest.path;
      const endpoint: Endpoint = {
        name: `${service.name}.${method.name}`,
        rpc: method.localName,
        service,
        owner: contract.ownerOf(service),
        method: rest.method as HttpMethod,
        path,
        pathParameters: [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? ''),
        input: rest.method === 'GET' || (rest.method === 'DELETE' && !rest.body) ? 'query' : 'body',
        status: rest.status || 200,
        access: rest.access as Access,
        paginated: rest.paginated,
        streams: method.methodKind === 'server_streaming',
        deadlineMs: rest.deadlineMs || defaultDeadlineMs,
        errors: rest.errors as readonly ErrorCode[],
        request: method.input,
        response: method.output,
        comment: commentOf(method),
      };
      for (const problem of problemsOf(endpoint)) throw new Error(`${endpoint.name}: ${problem}`);
      return [endpoint];
    }),
  );
  const seen = new Map<string, Endpoint>();
  for (const endpoint of endpoints) {
    const key = `${endpoint.method} ${shapeOf(endpoint.path)}`;
    const other = seen.get(key);
    if (other) throw new Error(`${endpoint.name} has the method and the path of ${other.name}`);
    seen.set(key, endpoint);
  }
  return endpoints.toSorted((a, b) => compare(shapeOf(a.path), shapeOf(b.path)));
}

/** A path without the names of its parameters: two endpoints of the same shape answer the same URLs. */
export function shapeOf(path: string): string {
  return path.replace(/\/$/, '').replaceAll(/\{\w+\}/g, '{}');
}

// '{' sorts after letters, digits, '-' and '_', so that fixed paths come first.
function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function problemsOf(endpoint: Endpoint): string[] {
  const names = endpoint.request.fields.map((field) => field.name);
  const problems = endpoint.pathParameters
    .filter((name) => !names.includes(name))
    .map((name) => `the path parameter ${name} is no field of ${endpoint.request.name}`);
  if (!methods.includes(endpoint.method)) problems.push(`the method ${endpoint.method} is not supported`);
  if (!endpoint.path.startsWith('/api/')) problems.push('the path must start with /api/');
  if (!accessLevels.includes(endpoint.access)) problems.push('the access is not specified');
  if (endpoint.streams && (endpoint.method !== 'GET' || !names.includes(resumeField))) {
    problems.push(`a stream is a GET with a field ${resumeField}`);
  }
  for (const code of endpoint.errors) if (!isErrorCode(code)) problems.push(`${code} is no error code`);
  if (endpoint.status < 200 || endpoint.status > 203) problems.push(`${endpoint.status} is no status with an answer`);
  if (endpoint.paginated && !['page', 'page_size'].every((name) => names.includes(name))) {
    problems.push('a paginated endpoint needs the fields page and page_size');
  }
  return problems;
}
