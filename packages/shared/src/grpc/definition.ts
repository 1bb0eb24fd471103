import type { MethodDefinition } from '@grpc/grpc-js';

/** A method as ts-proto generates it: one request, answered by one message or by a stream of them. */
// biome-ignore lint/suspicious/noExplicitAny: messages differ from method to method; RequestOf and ResponseOf recover them
export type RpcMethod = MethodDefinition<any, any>;

/** A service as ts-proto generates it: methods by name. */
export type RpcDefinition = Readonly<Record<string, RpcMethod>>;

/** Request message of a method. */
export type RequestOf<Method> = Method extends { requestSerialize: (value: infer Request) => Buffer } ? Request : never;

/** Response message of a method. */
export type ResponseOf<Method> = Method extends { responseSerialize: (value: infer Response) => Buffer }
  ? Response
  : never;

/** What a method answers: one message, or those of a stream as they come. */
export type AnswerOf<Method> = Method extends { responseStream: true }
  ? AsyncIterable<ResponseOf<Method>>
  : ResponseOf<Method>;

/** Full name of a service, such as "platform.v1.TaskService". */
export function serviceNameOf(definition: RpcDefinition): string {
  const path = Object.values(definition)[0]?.path;
  if (!path) throw new Error('a service without methods cannot be served or called');
  return path.slice(1, path.lastIndexOf('/'));
}
