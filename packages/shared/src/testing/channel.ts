import { RpcChannel } from '../grpc/client.ts';
import { testTrust } from './trust.ts';

/** What is tested is what a service answers, and not that a machine without a free processor or disk answers in 5 s. */
const patientMs = 30_000;

/** A connection to a service of this machine that a test has started. */
export function testChannel(port: number): RpcChannel {
  return new RpcChannel(`127.0.0.1:${port}`, testTrust, { deadlineMs: patientMs });
}
