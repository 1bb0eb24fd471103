import { CallSignatures } from '../grpc/signature.ts';
import type { Trust } from '../grpc/trust.ts';

/** SERVICE_SECRET of every service that tests start. */
export const testServiceSecret = 'the secret that services of tests know each other by';

/** How tests call services, and play them. */
export const testTrust: Trust = { signatures: new CallSignatures([testServiceSecret]) };
