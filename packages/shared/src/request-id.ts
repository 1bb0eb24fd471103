import { randomUUID } from 'node:crypto';

const sane = /^[\w.:-]{1,128}$/;

/** The id of a request: what the caller sent, when it is fit for headers and logs, else a new one. */
export function requestIdFrom(header: string | string[] | undefined): string {
  // Not a sortable id like those of documents: each of those costs a call for randomness.
  return typeof header === 'string' && sane.test(header) ? header : randomUUID();
}
