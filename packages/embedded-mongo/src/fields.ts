import { onDemand } from 'bson';

/** The names of the top-level fields that only one of two documents has, or that differ by a byte. */
export function changedFields(before: Uint8Array, after: Uint8Array): Set<string> {
  const old = fieldsOf(before);
  const changed = new Set<string>();
  for (const [name, bytes] of fieldsOf(after)) {
    const was = old.get(name);
    if (!was || Buffer.compare(was, bytes) !== 0) changed.add(name);
    old.delete(name);
  }
  for (const name of old.keys()) changed.add(name);
  return changed;
}

/** The BSON of a document with only some of its top-level fields. */
export function onlyFields(bytes: Uint8Array, keeps: (name: string) => boolean): Uint8Array {
  const kept: Uint8Array[] = [];
  let length = 5;
  for (const [name, field] of fieldsOf(bytes)) {
    if (!keeps(name)) continue;
    kept.push(field);
    length += field.length;
  }
  const document = Buffer.alloc(length);
  document.writeInt32LE(length, 0);
  let at = 4;
  for (const field of kept) {
    document.set(field, at);
    at += field.length;
  }
  return document;
}

/** Each field with its type and value, as bytes. */
function fieldsOf(bytes: Uint8Array): Map<string, Uint8Array> {
  const fields = new Map<string, Uint8Array>();
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (const [, nameAt, nameLength, at, length] of onDemand.parseToElements(bytes)) {
    // The type is the byte before the name.
    fields.set(buffer.toString('utf8', nameAt, nameAt + nameLength), buffer.subarray(nameAt - 1, at + length));
  }
  return fields;
}
