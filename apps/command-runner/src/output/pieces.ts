import type { OutputPiece } from '@claude-cli/shared/events';

/** Lines of one batch that are pieces of their own; more are grouped. */
const maxLines = 100;
/** Longest group of lines, in UTF-16 units. A longer line is a piece of its own. */
const maxGroup = 8 * 1024;

/** Text as it was read. */
export interface Chunk {
  stream: OutputPiece['stream'];
  text: string;
  /** When it was read, ISO 8601. */
  at: string;
}

/** A batch as pieces: one per line, or groups of whole lines when there are many. The last may be without a line feed. */
export function toPieces(chunks: readonly Chunk[]): OutputPiece[] {
  const merged = mergeStreams(chunks);
  const lines = merged.reduce((count, chunk) => count + countLines(chunk.text, maxLines + 1), 0);
  const longest = lines > maxLines ? maxGroup : 0;
  return merged.flatMap(({ stream, text, at }) =>
    splitLines(text, longest).map((content) => ({ stream, content, timestamp: at })),
  );
}

/** Chunks of one stream that follow each other become one, so that a line read in parts is one line. */
function mergeStreams(chunks: readonly Chunk[]): Chunk[] {
  const merged: Chunk[] = [];
  for (const chunk of chunks) {
    const last = merged.at(-1);
    if (last?.stream === chunk.stream) last.text += chunk.text;
    else merged.push({ ...chunk });
  }
  return merged;
}

function countLines(text: string, enough: number): number {
  let count = 0;
  for (let at = text.indexOf('\n'); at !== -1 && count < enough; at = text.indexOf('\n', at + 1)) count++;
  return count;
}

/** Split after line feeds, each part as long as `longest` allows but at least one line. */
function splitLines(text: string, longest: number): string[] {
  const parts: string[] = [];
  for (let start = 0; start < text.length; ) {
    const inReach = text.lastIndexOf('\n', start + longest - 1);
    const end = longest > 0 && inReach >= start ? inReach : text.indexOf('\n', start);
    const next = end === -1 ? text.length : end + 1;
    parts.push(text.slice(start, next));
    start = next;
  }
  return parts;
}
