import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UserServiceService } from '@claude-cli/proto/platform/v1/users';
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { permissionsOf } from '../caller.ts';
import { createLogger } from '../logger.ts';
import { type Authority, newAuthority } from '../testing/certificates.ts';
import { testServiceSecret, testTrust } from '../testing/trust.ts';
import { RpcChannel } from './client.ts';
import { originToMetadata } from './metadata.ts';
import { type RunningGrpcServer, serve, startGrpcServer } from './server.ts';
import { CallSignatures } from './signature.ts';
import { type Trust, trustBy } from './trust.ts';

const { getUserNames } = UserServiceService;
const streamNames = { ...getUserNames, path: '/platform.v1.UserService/StreamNames', responseStream: true } as const;
const definition = { getUserNames, streamNames };
const answered: string[] = [];
const users = serve(definition, {
  getUserNames: async (_: unknown, request, call) => {
    answered.push(call.caller.user_id);
    return { names: Object.fromEntries(request.user_ids.map((id) => [id, id])) };
  },
  streamNames: async (_: unknown, _request, call) => {
    answered.push(call.caller.user_id);
    return (async function* () {})();
  },
});
const admin = { user_id: 'eve', role: 'admin', permissions: permissionsOf.admin } as const;
const origin = { caller: admin, requestId: 'request-1' };

const lines: string[] = [];
const log = createLogger('test', 'warn', { write: (line) => void lines.push(line) });
const start = (trust: Trust) => startGrpcServer({ host: '127.0.0.1', port: 0, services: [users], ctx: {}, log, trust });

describe('a service', () => {
  let server: RunningGrpcServer;
  let raw: Client;

  beforeAll(async () => {
    server = await start(testTrust);
    raw = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure());
  });
  afterAll(async () => {
    raw.close();
    await server.stop(1_000);
  });

  /** The status of a call that anybody could make who reaches the port. */
  const statusWith = (metadata: Metadata, { path } = getUserNames) =>
    new Promise<number>((resolve) => {
      const { requestSerialize, responseDeserialize } = getUserNames;
      raw.makeUnaryRequest(path, requestSerialize, responseDeserialize, { user_ids: [] }, metadata, (error) =>
        resolve(error?.code ?? status.OK),
      );
    });
  const bytesOf = (...user_ids: string[]) => getUserNames.requestSerialize({ user_ids });
  const signed = (secret: string, other: Partial<Parameters<typeof originToMetadata>[1]> = {}) => {
    const call = { path: getUserNames.path, request: bytesOf(), until: Date.now() + 5_000 };
    return originToMetadata(origin, { ...call, ...other }, new CallSignatures([secret]));
  };

  test('answers a call that another one has signed, and none that nobody has, whatever it says of its caller', async () => {
    answered.length = 0;
    const unsigned = signed(testServiceSecret);
    unsigned.remove('x-call-signature');
    const swapped = signed(testServiceSecret);
    swapped.set('x-caller-bin', Buffer.from(JSON.stringify({ ...admin, user_id: 'somebody else' })));
    const refused = {
      'nothing at all': new Metadata(),
      'no signature': unsigned,
      'another caller than was signed': swapped,
      'a signature for another method': signed(testServiceSecret, { path: '/platform.v1.UserService/ListUsers' }),
      'a signature for another request': signed(testServiceSecret, { request: bytesOf('somebody') }),
      'the signature of an old call': signed(testServiceSecret, { until: Date.now() - 60_000 }),
      'a secret of somebody else': signed('a secret that no service has been given'),
    };
    for (const [what, metadata] of Object.entries(refused)) {
      expect([what, await statusWith(metadata)]).toEqual([what, status.UNAUTHENTICATED]);
    }
    expect(answered).toEqual([]);
    expect(await statusWith(signed(testServiceSecret))).toBe(status.OK);
    expect(answered).toEqual(['eve']);
  });

  test('answers one of version 1.0.0, which signs no digest of its request', async () => {
    const { path } = getUserNames;
    const metadata = new Metadata();
    const caller = Buffer.from(JSON.stringify(admin));
    metadata.set('x-caller-bin', caller);
    metadata.set('x-request-id', 'request-1');
    const call = { path, requestId: 'request-1', caller };
    metadata.set('x-call-signature', testTrust.signatures.sign(call, Date.now() + 5_000));
    expect(await statusWith(metadata)).toBe(status.OK);
  });

  test('refuses a stream that nobody has signed, or asked for, before it begins', async () => {
    const { path, requestSerialize, responseDeserialize } = streamNames;
    answered.length = 0;
    for (const metadata of [new Metadata(), signed(testServiceSecret, { path, request: bytesOf('somebody') })]) {
      const call = raw.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { user_ids: [] }, metadata);
      const [error] = (await once(call, 'error')) as [ServiceError];
      expect(error.code).toBe(status.UNAUTHENTICATED);
    }
    expect(answered).toEqual([]);
  });

  test('reads nothing of a request that nobody has signed', async () => {
    const { path, responseDeserialize } = getUserNames;
    const statusOf = (metadata: Metadata, bytes: Buffer) =>
      new Promise<number>((resolve) => {
        raw.makeUnaryRequest(
          path,
          () => bytes,
          responseDeserialize,
          {},
          metadata,
          (error) => resolve(error?.code ?? status.OK),
        );
      });
    const request = Buffer.from([0xff]);
    expect(await statusOf(new Metadata(), request)).toBe(status.UNAUTHENTICATED);
    expect(await statusOf(signed(testServiceSecret, { request }), request)).toBe(status.INTERNAL);
  });

  test('logs who was refused, with the reason, but not every time', async () => {
    const own = await start(testTrust);
    const stranger = new RpcChannel(`127.0.0.1:${own.port}`, {
      signatures: new CallSignatures(['a secret that no service has been given']),
    });
    lines.length = 0;
    const call = () => stranger.client(definition).getUserNames({ user_ids: [] }, origin);
    // A misconfigured service is no matter of the user's token.
    for (let n = 0; n < 20; n++) await expect(call()).rejects.toMatchObject({ code: 'INTERNAL_SERVER_ERROR' });
    expect(lines.length).toBeLessThan(20);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      rpc: getUserNames.path,
      peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      reason: 'it is signed with an unknown secret',
    });
    stranger.close();
    await own.stop(1_000);
  });

  test('tells anybody whether it is healthy', async () => {
    const empty = () => Buffer.alloc(0);
    const answer = await new Promise<Buffer | undefined>((resolve, reject) =>
      raw.makeUnaryRequest(
        '/grpc.health.v1.Health/Check',
        empty,
        (bytes) => bytes,
        {},
        (error, value) => (error ? reject(error) : resolve(value)),
      ),
    );
    // Field 1, status: SERVING.
    expect([...(answer ?? [])]).toEqual([8, 1]);
  });
});

describe('with certificates', () => {
  let authority: Authority;
  let directory: string;
  let trust: Trust;
  let server: RunningGrpcServer;

  const fileOf = (name: string, content: string) => {
    writeFileSync(join(directory, name), content);
    return join(directory, name);
  };
  const trustOf = ({ ca, certify }: Authority, name: string): Trust => {
    const { cert, key } = certify();
    return trustBy({
      SERVICE_SECRET: [testServiceSecret],
      GRPC_TLS_CERT: fileOf(`${name}.crt`, cert),
      GRPC_TLS_KEY: fileOf(`${name}.key`, key),
      GRPC_TLS_CA: fileOf(`${name}-ca.crt`, ca),
    });
  };
  const ask = async (by: Trust, address = `localhost:${server.port}`) => {
    const channel = new RpcChannel(address, by);
    try {
      return await channel.client(definition).getUserNames({ user_ids: ['a'] }, origin, { deadlineMs: 2_000 });
    } finally {
      channel.close();
    }
  };

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'certificates-'));
    authority = newAuthority();
    trust = trustOf(authority, 'server');
    server = await start(trust);
  });
  afterAll(async () => {
    await server.stop(1_000);
    rmSync(directory, { recursive: true });
  });

  test('services of one authority speak with each other, encrypted', async () => {
    expect(await ask(trustOf(authority, 'client'))).toEqual({ names: { a: 'a' } });
  });

  test('nobody is answered without a certificate, or with one of another authority', async () => {
    const unanswered = { code: expect.stringMatching(/^(SERVICE_UNAVAILABLE|UPSTREAM_ERROR)$/) };
    answered.length = 0;
    await expect(ask(testTrust)).rejects.toMatchObject(unanswered);
    const { tls } = trustOf(newAuthority(), 'stranger');
    const stranger = { ...trust, tls: { ...tls, ca: trust.tls?.ca } } as Trust;
    await expect(ask(stranger)).rejects.toMatchObject(unanswered);
    expect(answered).toEqual([]);
  });

  test('a server that another authority has certified is not spoken to', async () => {
    const client = { ...trust, tls: trustOf(newAuthority(), 'other').tls } as Trust;
    await expect(ask(client)).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
  });

  test('an incomplete set of files, or one that is not there, is refused by name', () => {
    const given = { SERVICE_SECRET: [testServiceSecret], GRPC_TLS_KEY: undefined, GRPC_TLS_CA: undefined };
    expect(() => trustBy({ ...given, GRPC_TLS_CERT: 'a' })).toThrow(/GRPC_TLS_KEY and GRPC_TLS_CA are given together/);
    const missing = join(directory, 'missing');
    const all = { GRPC_TLS_CERT: missing, GRPC_TLS_KEY: missing, GRPC_TLS_CA: missing };
    expect(() => trustBy({ ...given, ...all })).toThrow(/GRPC_TLS_CERT: .*missing cannot be read/);
  });
});
