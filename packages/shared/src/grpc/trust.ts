import { readFileSync } from 'node:fs';
import { ChannelCredentials, ServerCredentials } from '@grpc/grpc-js';
import type { SettingName, Settings } from '../settings.ts';
import { CallSignatures } from './signature.ts';

/** By what services know each other. */
export interface Trust {
  signatures: CallSignatures;
  /** PEM; both sides show their certificate. Absent: connections are not encrypted. */
  tls?: { cert: Buffer; key: Buffer; ca: Buffer };
}

/** Settings that {@link trustBy} reads. */
export const trustSettings = [
  'SERVICE_SECRET',
  'GRPC_TLS_CERT',
  'GRPC_TLS_KEY',
  'GRPC_TLS_CA',
] as const satisfies SettingName[];

/** The trust that the settings describe. @throws Error when a file cannot be read, or some of the three are missing */
export function trustBy(given: Settings<(typeof trustSettings)[number]>): Trust {
  const signatures = new CallSignatures(given.SERVICE_SECRET);
  const { GRPC_TLS_CERT: cert, GRPC_TLS_KEY: key, GRPC_TLS_CA: ca } = given;
  if (cert === undefined && key === undefined && ca === undefined) return { signatures };
  if (cert === undefined || key === undefined || ca === undefined) {
    throw new Error('Wrong configuration. GRPC_TLS_CERT, GRPC_TLS_KEY and GRPC_TLS_CA are given together, or none');
  }
  return {
    signatures,
    tls: { cert: read('GRPC_TLS_CERT', cert), key: read('GRPC_TLS_KEY', key), ca: read('GRPC_TLS_CA', ca) },
  };
}

/** How a client connects. */
export function channelCredentials({ tls }: Trust): ChannelCredentials {
  return tls ? ChannelCredentials.createSsl(tls.ca, tls.key, tls.cert) : ChannelCredentials.createInsecure();
}

/** How a server listens: with TLS, only whoever has a certificate of the same authority is heard. */
export function serverCredentials({ tls }: Trust): ServerCredentials {
  if (!tls) return ServerCredentials.createInsecure();
  return ServerCredentials.createSsl(tls.ca, [{ cert_chain: tls.cert, private_key: tls.key }], true);
}

function read(name: SettingName, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new Error(`Wrong configuration. ${name}: ${path} cannot be read`, { cause });
  }
}
