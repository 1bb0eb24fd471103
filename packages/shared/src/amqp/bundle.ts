import type { Message } from 'amqplib';

/** One of the things that a message tells. */
export interface Part {
  /** Of the thing; the message has that of its first. */
  id: string;
  /** What carries its place in a trace; empty where none is recorded. */
  headers: Record<string, string>;
  body: unknown;
}

/** What is sent. */
export interface Bundle {
  messageId: string;
  headers: Record<string, unknown>;
  content: Buffer;
}

/** Says in the headers of a message how many parts it has; absent: its content is the body of the only one. */
const header = 'bundle-parts';

/** Bounds of a message: parts, and UTF-16 units of their bodies, above which nothing is saved by sending more together. */
const most = { parts: 20, length: 64 * 1024 };

/**
 * Put things that go the same way into few messages: what a broker and its readers do for each message costs more than what the
 * things themselves cost. One that is alone is sent as it is.
 * @param together false: each goes alone
 */
export function bundles(parts: readonly Part[], together: boolean): Bundle[] {
  const groups: { parts: Part[]; texts: string[]; length: number }[] = [];
  for (const part of parts) {
    const text = JSON.stringify(part.body);
    const last = groups.at(-1);
    if (together && last && last.parts.length < most.parts && last.length + text.length <= most.length) {
      last.parts.push(part);
      last.texts.push(text);
      last.length += text.length;
    } else groups.push({ parts: [part], texts: [text], length: text.length });
  }
  return groups.map(({ parts, texts }) => bundleOf(parts, texts));
}

function bundleOf(parts: readonly Part[], texts: readonly string[]): Bundle {
  const [{ id: messageId, headers } = { id: '', headers: {} }] = parts;
  if (parts.length === 1) return { messageId, headers, content: Buffer.from(texts[0] ?? '') };
  const entries = parts.map(
    ({ id, headers }, n) => `{"id":${JSON.stringify(id)},"headers":${JSON.stringify(headers)},"body":${texts[n]}}`,
  );
  return { messageId, headers: { [header]: parts.length }, content: Buffer.from(`[${entries.join(',')}]`) };
}

/** How many parts a message says that it has. */
export function partCount({ properties }: Pick<Message, 'properties'>): number {
  const count = Number(properties.headers?.[header] ?? 1);
  return count >= 1 ? Math.min(count, most.parts) : 1;
}

/** The parts of a message. @throws SyntaxError when it is not JSON, or says that it has parts and has none */
export function partsOf({ content, properties }: Pick<Message, 'content' | 'properties'>): Part[] {
  const { headers = {}, messageId } = properties;
  const body: unknown = JSON.parse(content.toString());
  if (headers[header] === undefined) return [{ id: String(messageId ?? ''), headers, body }];
  if (!Array.isArray(body) || body.length === 0 || !body.every(isPart)) throw new SyntaxError('a bundle has no parts');
  return body;
}

function isPart(value: unknown): value is Part {
  const { id, headers, body } = (value ?? {}) as Partial<Part>;
  return typeof id === 'string' && typeof headers === 'object' && headers !== null && body !== undefined;
}
