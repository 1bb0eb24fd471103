import { serialize } from 'bson';
import { isDoc } from './values.ts';

/** Documents that are BSON already, as an array in a reply. */
export class RawArray {
  readonly items: readonly Uint8Array[];
  constructor(items: readonly Uint8Array[]) {
    this.items = items;
  }
}

/** A document that is BSON already. */
export class RawDoc {
  readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

/** A reply; `RawArray` and `RawDoc` may stand in it and in the documents directly in it. */
export type Reply = Record<string, unknown>;

/** Writes a reply as BSON without reading again what is BSON already. */
export function encode(reply: Reply): Buffer {
  if (!holdsRaw(reply)) return Buffer.from(serialize(reply, { ignoreUndefined: true }));
  const parts: Uint8Array[] = [];
  for (const [name, value] of Object.entries(reply)) {
    if (value instanceof RawDoc) parts.push(element(3, name), value.bytes);
    else if (value instanceof RawArray) parts.push(element(4, name), ...arrayOf(value.items));
    else if (isDoc(value) && holdsRaw(value)) parts.push(element(3, name), encode(value));
    else parts.push(serialize({ [name]: value }, { ignoreUndefined: true }).slice(4, -1));
  }
  return framed(parts);
}

function holdsRaw(reply: Reply): boolean {
  return Object.values(reply).some(
    (value) => value instanceof RawArray || value instanceof RawDoc || (isDoc(value) && holdsRaw(value)),
  );
}

function element(type: number, name: string): Buffer {
  return Buffer.from(`${String.fromCharCode(type)}${name}\0`, 'utf8');
}

function arrayOf(items: readonly Uint8Array[]): Uint8Array[] {
  return [framed(items.flatMap((item, i) => [element(3, String(i)), item]))];
}

function framed(parts: readonly Uint8Array[]): Buffer {
  const length = parts.reduce((total, part) => total + part.length, 5);
  const out = Buffer.allocUnsafe(length);
  out.writeInt32LE(length, 0);
  let at = 4;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  out[at] = 0;
  return out;
}
