import type { RpcDefinition } from '@claude-cli/shared/grpc/definition';
import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import { owners } from '@claude-cli/shared/service/resources';
import type { GatewayContext } from '../context.ts';
import type { Contract } from '../contract/contract.ts';
import type { Endpoint } from '../contract/endpoints.ts';
import { type ReadRequest, requestReaderOf } from '../contract/request.ts';
import { type Serialize, serializerOf } from '../contract/serializer.ts';
import { validatorsOf } from '../contract/validator.ts';
import { systemService } from '../system/system-service.ts';

/** An endpoint with everything that answering it needs, compiled. */
export interface Operation extends Endpoint {
  read: ReadRequest;
  /** Ask the owner; a stream resolves to an AsyncIterable of messages once the owner has accepted the call. */
  call(request: Record<string, unknown>, origin: Origin): Promise<unknown>;
  serialize: Serialize;
}

type Call = Operation['call'];

/** Compile every endpoint of the contract. */
export function operationsOf(
  ctx: GatewayContext,
  contract: Contract,
  endpoints: readonly Endpoint[],
): Promise<Operation[]> {
  const compile = validatorsOf(contract);
  return Promise.all(
    endpoints.map(async (endpoint) => ({
      ...endpoint,
      read: requestReaderOf(endpoint, compile(endpoint.request)),
      call: await callOf(endpoint, ctx),
      serialize: serializerOf(endpoint),
    })),
  );
}

async function callOf(endpoint: Endpoint, ctx: GatewayContext): Promise<Call> {
  if (endpoint.owner === 'gateway') return inProcess(endpoint, ctx);
  const owner = owners.find((name) => name === endpoint.owner);
  if (!owner) throw new Error(`${endpoint.name}: nobody knows the address of ${endpoint.owner}`);
  const definition = (await generated(endpoint.service.file.name, `${endpoint.service.name}Service`)) as RpcDefinition;
  const message = (await generated(endpoint.request.file.name, endpoint.request.name)) as GeneratedMessage;
  const send = ctx.channel(owner).client(definition)[endpoint.rpc];
  if (!send) throw new Error(`${endpoint.name}: the generated code is older than the contract`);
  const options = { deadlineMs: endpoint.deadlineMs };
  // fromPartial gives lists, maps and plain fields that the caller left out the values that encoding expects.
  return (request, origin) => send(message.fromPartial(request), origin, options);
}

interface GeneratedMessage {
  fromPartial(value: Record<string, unknown>): unknown;
}

async function generated(file: string, name: string): Promise<unknown> {
  const module: Record<string, unknown> = await import(`@claude-cli/proto/${file.replace(/\.proto$/, '')}`);
  return module[name];
}

function inProcess(endpoint: Endpoint, ctx: GatewayContext): Call {
  const handler = systemService.handlers[endpoint.rpc];
  if (!handler) throw new Error(`${endpoint.name}: the gateway has no handler for it`);
  const { log } = ctx;
  return (request, origin) => handler(ctx, request as never, { ...origin, log });
}
