import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import type { Changes } from './changes.ts';
import { CommandError } from './errors.ts';

const magic = Buffer.from('EMBMONG1');
const headerBytes = 8;
const windowBytes = 8 * 1024 * 1024;
/** The disk is told to keep what was written at most this often; the kernel has it before a client's reply. */
const syncEveryMs = 50;
const snapshotChunkBytes = 4 * 1024 * 1024;
const yieldToOthers = promisify(setImmediate);

/** How the journal tells what happened. */
export type Log = (message: string) => void;

/**
 * The append-only file of all changes. A command's changes are one record: length (uint32), CRC-32 (uint32), then the
 * entries, each with its length before it; so after a crash a command is there as a whole or not at all.
 *
 * The commands of one turn of the event loop share a write, and each is acknowledged after that write: it survives
 * `kill -9`. `fdatasync` runs in the background at most every 50 ms, so a power cut can cost that much.
 */
export class Journal {
  readonly #file: string;
  #fd: number;
  #size: number;
  #waiting: { changes: Changes; resolve: () => void; reject: (error: Error) => void }[] = [];
  #syncTimer: NodeJS.Timeout | undefined;
  #broken: string | undefined;
  #tail: Uint8Array[] | undefined;

  private constructor(file: string, fd: number, size: number) {
    this.#file = file;
    this.#fd = fd;
    this.#size = size;
  }

  /**
   * Opens or creates the journal in a folder and hands every entry to `replay`, in order. What follows the last whole
   * record is cut off and kept beside as `journal.torn`.
   * @throws Error when the file is not a journal
   */
  static open(dir: string, replay: (entry: Uint8Array) => void, log: Log): Journal {
    const file = path.join(dir, 'journal');
    fs.rmSync(`${file}.new`, { force: true });
    const fd = fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600);
    const bytes = fs.fstatSync(fd).size;
    if (bytes < magic.length) {
      fs.ftruncateSync(fd, 0);
      fs.writeSync(fd, magic, 0, magic.length, 0);
      return new Journal(file, fd, magic.length);
    }
    const head = Buffer.alloc(magic.length);
    fs.readSync(fd, head, 0, head.length, 0);
    if (!head.equals(magic)) throw new Error(`${file} is not a journal of this server`);
    const size = readRecords(fd, bytes, replay);
    if (size < bytes) {
      const torn = Buffer.alloc(Math.min(bytes - size, windowBytes));
      fs.readSync(fd, torn, 0, torn.length, size);
      fs.writeFileSync(`${file}.torn`, torn);
      fs.ftruncateSync(fd, size);
      log(`the journal ended in ${bytes - size} bytes that are no whole record: cut off, kept in ${file}.torn`);
    }
    return new Journal(file, fd, size);
  }

  /** The size of the file in bytes. */
  get size(): number {
    return this.#size;
  }

  /**
   * Writes the changes of a command, together with those of other commands of this turn. On failure all of them are
   * rolled back in memory, so that it never differs from the disk.
   * @throws CommandError OutOfDiskSpace or InternalError when the file cannot be written
   */
  commit(changes: Changes): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ changes, resolve, reject });
      if (this.#waiting.length === 1) setImmediate(() => this.#flush());
    });
  }

  /**
   * Replaces the file by a shorter one of the same meaning. Commands go on meanwhile: what they write is added at the
   * end, and since entries carry whole documents it does not matter if the snapshot saw some of it already.
   */
  async compact(snapshot: Iterable<Uint8Array>): Promise<void> {
    if (this.#tail) return;
    this.#flush();
    const tail: Uint8Array[] = [];
    this.#tail = tail;
    const fd = fs.openSync(`${this.#file}.new`, 'w+', 0o600);
    try {
      let size = writeAll(fd, magic, 0);
      let chunk: Uint8Array[] = [];
      let chunkBytes = 0;
      for (const entry of snapshot) {
        chunk.push(entry);
        chunkBytes += entry.length;
        if (chunkBytes < snapshotChunkBytes) continue;
        size += writeAll(fd, record(chunk), size);
        chunk = [];
        chunkBytes = 0;
        await yieldToOthers();
      }
      if (chunk.length > 0) size += writeAll(fd, record(chunk), size);
      await promisify(fs.fdatasync)(fd);
      this.#flush();
      if (this.#tail !== tail) throw new Error('a write failed meanwhile');
      size += writeAll(fd, Buffer.concat(tail), size);
      fs.fdatasyncSync(fd);
      fs.renameSync(`${this.#file}.new`, this.#file);
      const old = this.#fd;
      this.#fd = fd;
      this.#size = size;
      fs.closeSync(old);
    } catch (error) {
      fs.closeSync(fd);
      fs.rmSync(`${this.#file}.new`, { force: true });
      throw error;
    } finally {
      this.#tail = undefined;
    }
  }

  /** Writes what waits, and closes the file. */
  close(): void {
    this.#flush();
    clearTimeout(this.#syncTimer);
    fs.fdatasyncSync(this.#fd);
    fs.closeSync(this.#fd);
    this.#broken = 'the server is shutting down';
  }

  #flush(): void {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    try {
      if (this.#broken) throw new Error(this.#broken);
      const bytes = Buffer.concat(waiting.map(({ changes }) => record(changes.entries)));
      writeAll(this.#fd, bytes, this.#size);
      this.#size += bytes.length;
      this.#tail?.push(bytes);
    } catch (error) {
      for (const { changes } of waiting.toReversed()) changes.rollback();
      this.#tail = undefined;
      this.#recover();
      const full = (error as NodeJS.ErrnoException).code === 'ENOSPC';
      const message = `the write was not done: ${(error as Error).message}`;
      for (const { reject } of waiting) reject(new CommandError(full ? 'OutOfDiskSpace' : 'InternalError', message));
      return;
    }
    for (const { resolve } of waiting) resolve();
    this.#syncTimer ??= setTimeout(() => {
      this.#syncTimer = undefined;
      const fd = this.#fd;
      fs.fdatasync(fd, () => undefined);
    }, syncEveryMs).unref();
  }

  /** Cuts off what a failed write left; if even that fails, no write is accepted any more. */
  #recover(): void {
    try {
      fs.ftruncateSync(this.#fd, this.#size);
    } catch (error) {
      this.#broken ??= `the journal is damaged, restart the server: ${(error as Error).message}`;
    }
  }
}

function record(entries: readonly Uint8Array[]): Buffer {
  const payload = Buffer.allocUnsafe(entries.reduce((total, entry) => total + 4 + entry.length, headerBytes));
  let at = headerBytes;
  for (const entry of entries) {
    payload.writeUInt32LE(entry.length, at);
    payload.set(entry, at + 4);
    at += 4 + entry.length;
  }
  payload.writeUInt32LE(at - headerBytes, 0);
  payload.writeUInt32LE(crc32(payload.subarray(headerBytes)), 4);
  return payload;
}

function writeAll(fd: number, bytes: Uint8Array, position: number): number {
  for (let done = 0; done < bytes.length; ) {
    done += fs.writeSync(fd, bytes, done, bytes.length - done, position + done);
  }
  return bytes.length;
}

/** Replays the whole records of a file and returns where they end. */
function readRecords(fd: number, fileBytes: number, replay: (entry: Uint8Array) => void): number {
  let position = magic.length;
  let want = windowBytes;
  while (position < fileBytes) {
    const buffer = Buffer.allocUnsafe(Math.min(want, fileBytes - position));
    if (fs.readSync(fd, buffer, 0, buffer.length, position) !== buffer.length) throw new Error('the journal shrank');
    let at = 0;
    want = windowBytes;
    while (at + headerBytes <= buffer.length) {
      const end = at + headerBytes + buffer.readUInt32LE(at);
      if (position + end > fileBytes) return position + at;
      if (end > buffer.length) {
        want = Math.max(windowBytes, end - at);
        break;
      }
      const payload = buffer.subarray(at + headerBytes, end);
      if (crc32(payload) !== buffer.readUInt32LE(at + 4)) return position + at;
      for (let entry = 0; entry < payload.length; ) {
        const length = payload.readUInt32LE(entry);
        replay(payload.subarray(entry + 4, entry + 4 + length));
        entry += 4 + length;
      }
      at = end;
    }
    if (at === 0 && buffer.length < want && position + buffer.length >= fileBytes) return position;
    if (at === 0 && buffer.length < headerBytes) return position;
    position += at;
  }
  return position;
}
