import { PlatformError } from '@claude-cli/shared/errors';

/** A message as it goes over the wire: encoded once, sent to any number of clients. */
export interface Encoded {
  bytes: Buffer;
  /** A client that reads too slowly may miss it. */
  droppable: boolean;
}

/** Encode any message. */
export function encode(message: Record<string, unknown>, droppable = false): Encoded {
  return { bytes: Buffer.from(JSON.stringify(message)), droppable };
}

/** A message of the usual shape: type, data, timestamp. @param requestId echoed when the message answers a request */
export function dataMessage(
  type: string,
  data: object,
  timestamp = new Date().toISOString(),
  requestId?: string,
): Encoded {
  return encode({ type, data, timestamp, request_id: requestId });
}

/** The message for anything that was thrown. @param taskId task that it is about */
export function errorMessage(thrown: unknown, requestId?: string, taskId?: string): Encoded {
  const { code, message, details } = PlatformError.from(thrown);
  return dataMessage('error', { code, message, task_id: taskId, details }, undefined, requestId);
}

/** Says that a client missed messages of a channel. @param dropped how many; null when nobody knows */
export function gapMessage(channel: string, dropped: number | null): Encoded {
  return dataMessage('gap', { dropped, channel });
}
