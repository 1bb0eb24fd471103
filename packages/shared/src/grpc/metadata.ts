import { Metadata } from '@grpc/grpc-js';
import { context, propagation } from '@opentelemetry/api';
import { anonymous, type Caller, type Credential, isPermission, permissionsOf, type Role } from '../caller.ts';
import { type ErrorDetails, isErrorCode, PlatformError } from '../errors.ts';
import { newId } from '../ids.ts';
import type { Origin } from './interceptor.ts';

const callerKey = 'x-caller-bin';
const requestIdKey = 'x-request-id';
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

/** Metadata of an outgoing call: caller, request id and trace context. The deadline travels as gRPC's own. */
export function originToMetadata(origin: Origin): Metadata {
  const metadata = new Metadata();
  metadata.set(callerKey, toBinary(origin.caller));
  metadata.set(requestIdKey, origin.requestId);
  propagation.inject(context.active(), metadata, { set: (carrier, key, value) => carrier.set(key, value) });
  return metadata;
}

/** Origin of an incoming call. A call without a readable caller is anonymous. */
export function originFromMetadata(metadata: Metadata, deadline: Date | undefined, signal: AbortSignal): Origin {
  const requestId = metadata.get(requestIdKey)[0]?.toString() ?? newId();
  const origin: Origin = { caller: readCaller(metadata), requestId, signal };
  if (deadline) origin.deadline = deadline;
  return origin;
}

function readCaller(metadata: Metadata): Caller {
  const sent = firstJson(metadata, callerKey);
  if (typeof sent?.user_id !== 'string' || typeof sent.role !== 'string' || sent.user_id === '') return anonymous;
  if (!Object.hasOwn(permissionsOf, sent.role)) return anonymous;
  const role = sent.role as Role;
  const sentPermissions = Array.isArray(sent.permissions) ? sent.permissions : permissionsOf[role];
  const caller: Caller = { user_id: sent.user_id, role, permissions: sentPermissions.filter(isPermission) };
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
