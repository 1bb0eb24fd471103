import { serialize } from 'bson';
import { isDoc } from './values.ts';

/** Documents that are BSON already, as an array in the `cursor` of a reply. */
export class RawArray {
  readonly items: readonly Uint8Array[];
  constructor(items: readonly Uint8Array[]) {
    this.items = items;
  }
}

/** A reply; a `RawArray` may stand in its `cursor`. */
export type Reply = Record<string, unknown>;

/** Writes a reply as BSON without reading again what is BSON already. */
export function encode(reply: Reply): Buffer {
  const parts = Object.entries(reply).flatMap(([name, value]): Uint8Array[] => {
    if (value instanceof RawArray) {
      return [element(4, name), framed(value.items.flatMap((item, i) => [element(3, String(i)), item]))];
    }
    if (name === 'cursor' && isDoc(value)) return [element(3, name), encode(value)];
    return [serialize({ [name]: value }, { ignoreUndefined: true }).slice(4, -1)];
  });
  return framed(parts);
}

function element(type: number, name: string): Buffer {
  return Buffer.from(`${String.fromCharCode(type)}${name}\0`, 'utf8');
}

function framed(parts: readonly Uint8Array[]): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32LE(parts.reduce((total, part) => total + part.length, 5));
  return Buffer.concat([length, ...parts, Buffer.of(0)]);
}
