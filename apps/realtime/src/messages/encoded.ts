import { PlatformError } from '@claude-cli/shared/errors';

/** What clients are told, whatever the transport. */
export interface Message {
  type: string;
  data?: object;
  /** When it happened, ISO 8601; a pong repeats the client's own. */
  timestamp?: string | number;
  /** Repeated from the request that it answers. */
  request_id?: string | undefined;
  /** Number of the message in its epoch; together they say after what a client goes on. */
  seq?: number;
  epoch?: string;
}

/** What may be done with a message while its client reads too slowly. */
export interface Patience {
  /** Output: the client may miss it, and is told which pieces. */
  droppable?: { command_id: string; epoch: string; from: number; to: number };
  /** A newer message with the same name takes its place. */
  replaceableBy?: string;
  /** It is newer than all with this name that are replaceable. */
  replaces?: string;
}

/** How a transport writes messages. */
export interface WireFormat<Wire> {
  write(message: Message, json: string): Wire;
}

/** A message that is written once per wire format, and sent to any number of clients. */
export class Encoded {
  readonly message: Message;
  readonly patience: Patience;
  #bytes: Buffer | undefined;
  #others: Map<WireFormat<unknown>, unknown> | undefined;

  constructor(message: Message, patience: Patience = {}) {
    this.message = message;
    this.patience = patience;
  }

  /** The message as JSON in UTF-8, as WebSockets carry it. */
  get bytes(): Buffer {
    this.#bytes ??= Buffer.from(JSON.stringify(this.message));
    return this.#bytes;
  }

  /** The message in the format of another transport. */
  as<Wire>(format: WireFormat<Wire>): Wire {
    this.#others ??= new Map();
    if (!this.#others.has(format)) this.#others.set(format, format.write(this.message, this.bytes.toString()));
    return this.#others.get(format) as Wire;
  }
}

/** A message of the usual shape: type, data, timestamp. @param requestId echoed when the message answers a request */
export function dataMessage(
  type: string,
  data: object,
  timestamp = new Date().toISOString(),
  requestId?: string,
): Encoded {
  return new Encoded({ type, data, timestamp, request_id: requestId });
}

/** The message for anything that was thrown. @param taskId task that it is about */
export function errorMessage(thrown: unknown, requestId?: string, taskId?: string): Encoded {
  const { code, message, details } = PlatformError.from(thrown);
  return dataMessage('error', { code, message, task_id: taskId, details }, undefined, requestId);
}
