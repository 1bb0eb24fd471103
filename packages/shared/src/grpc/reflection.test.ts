import { once } from 'node:events';
import { Client, credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { expect, test } from '@jest/globals';
import { reflectionOf } from './reflection.ts';

const method = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
/** Fields of the request, as length-delimited: https://github.com/grpc/grpc/blob/master/doc/server-reflection.md */
const asks = { symbol: 4, services: 7 };

const same = (bytes: Buffer) => bytes;

async function ask(client: Client, field: number, text: string): Promise<string> {
  const call = client.makeBidiStreamRequest(method, same, same);
  call.end(Buffer.concat([Buffer.of((field << 3) | 2, text.length), Buffer.from(text)]));
  const [answer] = await once(call, 'data');
  call.cancel();
  call.on('error', () => {});
  return answer.toString('latin1');
}

test('reflection tells the services that are served, and every type of the contract', async () => {
  const server = new Server();
  reflectionOf(['platform.v1.SystemService']).addToServer(server);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  try {
    const services = await ask(client, asks.services, '');
    expect(services).toContain('platform.v1.SystemService');
    expect(services).not.toContain('platform.v1.TaskService');
    // Of a file of its own in the contract, and from elsewhere.
    for (const [symbol, shape] of [
      ['platform.v1.Task', 'assigned_to'],
      ['platform.v1.ProjectService', 'CheckAccess'],
      ['google.protobuf.Struct', 'struct_value'],
    ] as const) {
      expect(await ask(client, asks.symbol, symbol)).toContain(shape);
    }
  } finally {
    client.close();
    server.forceShutdown();
  }
});
