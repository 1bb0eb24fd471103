import { type Doc, readExact, readPlain } from './values.ts';

/**
 * One version of a document, never changed once made. The BSON that the client sent is the truth; the plain form, which
 * filters read, is made when first asked for and kept.
 */
export class Stored {
  /** The record number, unique in its collection and never used again. */
  readonly id: number;
  readonly bytes: Uint8Array;
  #plain: Doc | undefined;

  constructor(id: number, bytes: Uint8Array) {
    this.id = id;
    this.bytes = bytes;
  }

  /** The plain form; shared, so it must not be changed. */
  get plain(): Doc {
    this.#plain ??= readPlain(this.bytes);
    return this.#plain;
  }

  /** A fresh exact form, which the caller may change. */
  exact(): Doc {
    return readExact(this.bytes);
  }
}
