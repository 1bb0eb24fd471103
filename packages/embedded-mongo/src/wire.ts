import { deserialize } from 'bson';
import { CommandError } from './errors.ts';
import { encode, type Reply } from './reply.ts';
import { type Doc, read } from './values.ts';

/** The largest message in bytes that a client may send. */
export const maxMessageBytes = 48_000_000;

const opReply = 1;
const opQuery = 2004;
const opCompressed = 2012;
const opMsg = 2013;
const checksumPresent = 1;
const moreToCome = 2;
const requiredFlags = 0xffff;

/** A command as it came over the wire. */
export interface Request {
  readonly id: number;
  /** The command with its arguments in exact form; the documents of an insert are left as BSON. */
  readonly body: Doc;
  readonly legacy: boolean;
  /** False when the client does not want a reply. */
  readonly wantsReply: boolean;
}

/** Cuts a stream of bytes into messages. */
export class Framer {
  #chunks: Buffer[] = [];
  #bytes = 0;

  /** Takes what arrived. */
  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
  }

  /** The next whole message, or undefined. @throws CommandError ProtocolError when no message can have that length */
  next(): Buffer | undefined {
    if (this.#bytes < 16) return undefined;
    const first = this.#chunks[0] as Buffer;
    const length = (first.length >= 4 ? first : this.#join()).readInt32LE(0);
    if (length < 16 || length > maxMessageBytes)
      throw new CommandError('ProtocolError', `invalid message size ${length}`);
    if (this.#bytes < length) return undefined;
    const all = this.#join();
    this.#chunks = all.length > length ? [all.subarray(length)] : [];
    this.#bytes -= length;
    return all.subarray(0, length);
  }

  #join(): Buffer {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] as Buffer;
  }
}

/** Reads a message. @throws CommandError ProtocolError, or an error of the bson library, when it is malformed */
export function parseMessage(message: Buffer): Request {
  const id = message.readInt32LE(4);
  switch (message.readInt32LE(12)) {
    case opMsg:
      return parseOpMsg(message, id);
    case opQuery: {
      const end = message.indexOf(0, 20);
      if (end === -1 || !message.toString('latin1', 20, end).endsWith('.$cmd')) {
        throw new CommandError('ProtocolError', 'OP_QUERY is supported for hello only');
      }
      const database = message.toString('utf8', 20, end - 5);
      return {
        id,
        body: { ...deserialize(bsonAt(message, end + 9, message.length)), $db: database },
        legacy: true,
        wantsReply: true,
      };
    }
    case opCompressed:
      throw new CommandError('ProtocolError', 'compression was not negotiated');
    default:
      throw new CommandError('ProtocolError', `unsupported opcode ${message.readInt32LE(12)}`);
  }
}

function parseOpMsg(message: Buffer, id: number): Request {
  const flags = message.readUInt32LE(16);
  if (flags & requiredFlags & ~(checksumPresent | moreToCome))
    throw new CommandError('ProtocolError', 'unknown flag bits');
  const end = message.length - (flags & checksumPresent ? 4 : 0);
  let body: Doc | undefined;
  const sequences: Doc = {};
  for (let at = 20; at < end; ) {
    const kind = message[at++];
    if (kind === 0) {
      const bytes = bsonAt(message, at, end);
      at += bytes.length;
      if (body) throw new CommandError('ProtocolError', 'a message has one body');
      body = read(bytes, firstFieldOf(bytes) === 'insert' ? { documents: true } : undefined);
    } else if (kind === 1) {
      const stop = at + (at + 4 <= end ? message.readInt32LE(at) : -1);
      const nameEnd = message.indexOf(0, at + 4);
      if (stop > end || nameEnd === -1 || nameEnd >= stop)
        throw new CommandError('ProtocolError', 'a malformed document sequence');
      const name = message.toString('utf8', at + 4, nameEnd);
      const documents: unknown[] = [];
      for (at = nameEnd + 1; at < stop; ) {
        const bytes = bsonAt(message, at, stop);
        at += bytes.length;
        documents.push(name === 'documents' ? bytes : read(bytes));
      }
      sequences[name] = documents;
    } else throw new CommandError('ProtocolError', `unknown section kind ${kind}`);
  }
  if (!body) throw new CommandError('ProtocolError', 'a message without body');
  return { id, body: { ...body, ...sequences }, legacy: false, wantsReply: !(flags & moreToCome) };
}

function bsonAt(message: Buffer, at: number, end: number): Buffer {
  const length = at + 5 <= end ? message.readInt32LE(at) : 0;
  if (length < 5 || at + length > end) throw new CommandError('ProtocolError', 'a malformed document');
  return message.subarray(at, at + length);
}

function firstFieldOf(bytes: Buffer): string {
  return bytes.toString('latin1', 5, bytes.indexOf(0, 5));
}

let lastId = 0;

/** A message that answers the request. */
export function replyMessage(request: Request, reply: Reply): Buffer {
  const body = encode(reply);
  const head = Buffer.alloc(request.legacy ? 36 : 21);
  lastId = (lastId + 1) | 0;
  head.writeInt32LE(head.length + body.length, 0);
  head.writeInt32LE(lastId, 4);
  head.writeInt32LE(request.id, 8);
  head.writeInt32LE(request.legacy ? opReply : opMsg, 12);
  if (request.legacy) {
    head.writeInt32LE(8, 16);
    head.writeInt32LE(1, 32);
  }
  return Buffer.concat([head, body]);
}
