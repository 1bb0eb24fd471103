import type { Message, WireFormat } from '../messages/encoded.ts';

/** A message as Socket.IO sends it: an event named by its type, with the message as its payload. */
export interface Packet {
  /** As Socket.IO hands it to Engine.IO. */
  text: string;
  /** Lets Engine.IO send the frame that was made once, instead of making one for each client. */
  options: { wsPreEncodedFrame: readonly [header: Buffer, payload: Buffer] };
}

/** Engine.IO marks messages by this, in front of what Socket.IO hands over. */
const engineMessage = '4';
/** Socket.IO marks events, and that the client is to stay away, by these. */
const event = '2';
/** Tells a client that it is disconnected, and is not to come back by itself. */
export const disconnect = '1';

/** Writes messages as packets of Socket.IO (https://socket.io/docs/v4/socket-io-protocol/). */
export const asPacket: WireFormat<Packet> = {
  write({ type }: Message, json: string): Packet {
    const text = `${event}[${JSON.stringify(type)},${json}]`;
    const payload = Buffer.from(engineMessage + text);
    return { text, options: { wsPreEncodedFrame: [headerOf(payload.length), payload] } };
  },
};

/** The header of a whole text frame from a server (RFC 6455, 5.2). @param length of its payload, in bytes */
function headerOf(length: number): Buffer {
  const finalText = 0x81;
  if (length < 126) return Buffer.from([finalText, length]);
  const header = Buffer.alloc(length < 65_536 ? 4 : 10);
  header[0] = finalText;
  header[1] = length < 65_536 ? 126 : 127;
  if (length < 65_536) header.writeUInt16BE(length, 2);
  else header.writeBigUInt64BE(BigInt(length), 2);
  return header;
}
