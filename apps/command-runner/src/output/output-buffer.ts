import type { Chunk } from './pieces.ts';

/**
 * Cut a text so that the first part has at most so many UTF-16 units: after a line feed where there is one, and never
 * inside a surrogate pair.
 */
export function cut(text: string, most: number): [string, string] {
  if (text.length <= most) return [text, ''];
  const line = text.lastIndexOf('\n', most - 1) + 1;
  const isHigh = (text.charCodeAt(most - 1) & 0xfc00) === 0xd800;
  const at = line > 0 ? line : isHigh ? Math.max(1, most - 1) : most;
  return [text.slice(0, at), text.slice(at)];
}

/** What was read and is not flushed yet, in order. */
export class OutputBuffer {
  #chunks: Chunk[] = [];
  /** UTF-16 units in it. */
  size = 0;

  push(chunk: Chunk): void {
    this.#chunks.push(chunk);
    this.size += chunk.text.length;
  }

  /** Take at most so many UTF-16 units from the front. */
  take(most: number): Chunk[] {
    const taken: Chunk[] = [];
    let room = most;
    let used = 0;
    for (const chunk of this.#chunks) {
      if (room <= 0) break;
      const [head, rest] = cut(chunk.text, room);
      taken.push({ ...chunk, text: head });
      room -= head.length;
      this.size -= head.length;
      if (rest !== '') {
        chunk.text = rest;
        break;
      }
      used++;
    }
    this.#chunks = this.#chunks.slice(used);
    return taken;
  }
}
