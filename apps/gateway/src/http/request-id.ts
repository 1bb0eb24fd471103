import { newId } from '@claude-cli/shared/ids';

const sane = /^[\w.:-]{1,128}$/;

/** The id of a request: what the caller sent, when it is fit for headers and logs, else a new one. */
export function requestIdFrom(header: string | string[] | undefined): string {
  return typeof header === 'string' && sane.test(header) ? header : newId();
}
