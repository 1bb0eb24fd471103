// What a runner and its spawner say to each other: frames of a header and a payload. Plain JavaScript, see spawner.mjs.

/**
 * Kinds of frames. `start` to `ping` go to the spawner, the others come from it. The payload is JSON, or what was written.
 */
export const kinds = /** @type {const} */ ({
  start: 1,
  pause: 2,
  resume: 3,
  abandon: 4,
  ping: 5,
  started: 6,
  failed: 7,
  stdout: 8,
  stderr: 9,
  times: 10,
  exited: 11,
  closed: 12,
  pong: 13,
});

/** Length of a header: that of the payload (4 bytes), the kind (1), and which process it is about (4). */
const headerBytes = 9;

/** @type {Buffer} */
const nothing = Buffer.alloc(0);

/**
 * A frame, as the buffers to write.
 * @param {number} kind
 * @param {number} id which process; 0 when it is about none
 * @param {Buffer} payload
 * @returns {Buffer[]}
 */
export function frame(kind, id, payload = nothing) {
  const header = Buffer.allocUnsafe(headerBytes);
  header.writeUInt32LE(payload.length, 0);
  header.writeUInt8(kind, 4);
  header.writeUInt32LE(id, 5);
  return payload.length === 0 ? [header] : [header, payload];
}

/**
 * A frame with a JSON payload.
 * @param {number} kind
 * @param {number} id
 * @param {unknown} content
 */
export function jsonFrame(kind, id, content) {
  return frame(kind, id, Buffer.from(JSON.stringify(content)));
}

/** Cuts what arrives into frames. */
export class FrameReader {
  /** @type {Buffer} */
  #rest = nothing;

  /**
   * @param {Buffer} chunk what arrived
   * @param {(kind: number, id: number, payload: Buffer) => void} take called for each frame that is complete
   */
  push(chunk, take) {
    let data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (data.length >= headerBytes) {
      const end = headerBytes + data.readUInt32LE(0);
      if (data.length < end) break;
      take(data.readUInt8(4), data.readUInt32LE(5), data.subarray(headerBytes, end));
      data = data.subarray(end);
    }
    this.#rest = data;
  }
}
