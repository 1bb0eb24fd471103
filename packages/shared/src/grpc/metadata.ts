import { hash } from 'node:crypto';
import { Metadata } from '@grpc/grpc-js';
import { context, propagation } from '@opentelemetry/api';
import { anonymous, type Caller, type Credential, isPermission, permissionsOf, type Role } from '../caller.ts';
import { readCreation } from '../creation.ts';
import { type ErrorDetails, isErrorCode, PlatformError } from '../errors.ts';
import { newId } from '../ids.ts';
import type { Origin } from './interceptor.ts';
import type { CallSignatures } from './signature.ts';

const callerKey = 'x-caller-bin';
const requestIdKey = 'x-request-id';
const signatureKey = 'x-call-signature';
const errorKey = 'platform-error-bin';

const toBinary = (value: unknown) => Buffer.from(JSON.stringify(value));

function firstJson(metadata: Metadata, key: string): Record<string, unknown> | undefined {
  const value = metadata.get(key)[0];
  if (value === undefined) return undefined;
  try {
    return JSON.parse(value.toString());
  } catch {
    return undefined;
  }
}

/**
 * Metadata of an outgoing call: caller, digest of the request, what it creates, and request id, signed, and trace context. The
 * deadline travels as gRPC's own.
 * @param request the message as it is sent
 * @param until when the call ends, or for a stream has begun, in milliseconds since the epoch
 */
export function originToMetadata(
  origin: Origin,
  { path, request, until }: { path: string; request: Uint8Array; until: number },
  signatures: CallSignatures,
): Metadata {
  const metadata = new Metadata();
  const { requestId } = origin;
  // Among what is told of the caller, since that is what a version that knows of no digests signs and reads as well.
  const caller = toBinary({ ...origin.caller, request_digest: digestOf(request), creates: origin.creates });
  metadata.set(callerKey, caller);
  metadata.set(requestIdKey, requestId);
  metadata.set(signatureKey, signatures.sign({ path, requestId, caller }, until));
  propagation.inject(context.active(), metadata, { set: (carrier, key, value) => carrier.set(key, value) });
  return metadata;
}

/**
 * Why an incoming call is not to be trusted; undefined when a service of ours has signed what it says of its origin, and what it
 * asks.
 * @param request the message as it came
 */
export function refusalOf(
  metadata: Metadata,
  { path, request }: { path: string; request: Uint8Array },
  signatures: CallSignatures,
): string | undefined {
  const caller = metadata.get(callerKey)[0];
  const requestId = metadata.get(requestIdKey)[0]?.toString() ?? '';
  const signature = metadata.get(signatureKey)[0]?.toString();
  const refusal = signatures.refusalOf({ path, requestId, caller: Buffer.from(caller ?? '') }, signature);
  if (refusal !== undefined) return refusal;
  // Services of version 1.0.0 tell none. It cannot be taken away from a call that has one: the signature covers that.
  const digest = firstJson(metadata, callerKey)?.request_digest;
  return digest === undefined || digest === digestOf(request)
    ? undefined
    : 'its request is not the one that was signed';
}

function digestOf(request: Uint8Array): string {
  return hash('sha256', request, 'base64url');
}

/** Origin of an incoming call that {@link refusalOf} trusts. A call for nobody is anonymous. */
export function originFromMetadata(metadata: Metadata, deadline: Date | undefined, signal: AbortSignal): Origin {
  const requestId = metadata.get(requestIdKey)[0]?.toString() ?? newId();
  const origin: Origin = { caller: readCaller(metadata), requestId, signal };
  const creates = readCreation(firstJson(metadata, callerKey)?.creates);
  if (creates) origin.creates = creates;
  if (deadline) origin.deadline = deadline;
  return origin;
}

function readCaller(metadata: Metadata): Caller {
  const sent = firstJson(metadata, callerKey);
  if (sent?.user_id === '' && typeof sent.address === 'string') return { ...anonymous, address: sent.address };
  if (typeof sent?.user_id !== 'string' || typeof sent.role !== 'string' || sent.user_id === '') return anonymous;
  if (!Object.hasOwn(permissionsOf, sent.role)) return anonymous;
  const role = sent.role as Role;
  const sentPermissions = Array.isArray(sent.permissions) ? sent.permissions : permissionsOf[role];
  const caller: Caller = { user_id: sent.user_id, role, permissions: sentPermissions.filter(isPermission) };
  if (typeof sent.address === 'string') caller.address = sent.address;
  if (typeof sent.session_id === 'string') caller.session_id = sent.session_id;
  if (typeof sent.credential === 'object' && sent.credential !== null)
    caller.credential = sent.credential as Credential;
  return caller;
}

/** Trace context that an incoming call carries. */
export function traceContextOf(metadata: Metadata) {
  return propagation.extract(context.active(), metadata, {
    keys: (carrier) => Object.keys(carrier.getMap()),
    get: (carrier, key) => carrier.get(key)[0]?.toString(),
  });
}

/** Trailing metadata that carries an error's code and details. */
export function errorToMetadata(error: PlatformError): Metadata {
  const metadata = new Metadata();
  metadata.set(errorKey, toBinary({ code: error.code, details: error.details }));
  return metadata;
}

/** The error that a call's trailing metadata carries; undefined when the failure was not one of ours. */
export function errorFromMetadata(metadata: Metadata, message: string, cause: unknown): PlatformError | undefined {
  const sent = firstJson(metadata, errorKey);
  if (!sent || !isErrorCode(sent.code)) return undefined;
  return new PlatformError(sent.code, message, (sent.details ?? {}) as ErrorDetails, cause);
}
