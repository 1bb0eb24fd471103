import { type Caller, requirePermission } from '@claude-cli/shared/caller';
import { invalidField } from '@claude-cli/shared/errors';
import { entryOf, isDeliverable } from '@claude-cli/shared/webhooks/catalog';
import { refusalOf, type UrlRules } from '../sending/url-rule.ts';

/** Headers that say how a request is carried, or that are ours. */
const reserved =
  /^(host|content-length|content-type|connection|keep-alive|transfer-encoding|te|trailer|upgrade|expect|proxy-.*|user-agent|x-signature-256.*|x-delivery-id|x-event-type|webhook-.*|traceparent|tracestate)$/i;
const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/;
const headerValue = /^[\t\x20-\x7e]*$/;
/** Characters of all headers together: receivers refuse requests with much larger ones. */
const maxHeaders = 8_000;

/** Refuse a URL that nothing is sent to. @throws PlatformError VALIDATION_ERROR */
export function checkUrl(url: string, rules: UrlRules): void {
  const refusal = refusalOf(url, rules);
  if (refusal) throw invalidField('url', refusal);
}

/** Refuse headers that cannot be sent. @throws PlatformError VALIDATION_ERROR */
export function checkHeaders(headers: Readonly<Record<string, string>>): void {
  const names = new Set<string>();
  let length = 0;
  for (const [name, value] of Object.entries(headers)) {
    if (!headerName.test(name)) throw invalidField('headers', 'holds a name that is not one of a header');
    if (reserved.test(name)) throw invalidField('headers', `${name} cannot be set`);
    if (names.has(name.toLowerCase())) throw invalidField('headers', `${name} is there twice`);
    if (!headerValue.test(value)) throw invalidField('headers', `the value of ${name} must be visible ASCII`);
    names.add(name.toLowerCase());
    length += name.length + value.length;
  }
  if (length > maxHeaders) throw invalidField('headers', `must be at most ${maxHeaders} characters in all`);
}

/**
 * The types of events that a webhook asks for, each once.
 * @throws PlatformError VALIDATION_ERROR for those that it could never be told, AUTH_INSUFFICIENT_PERMISSIONS for those that
 * the caller may not ask for
 */
export function wantedEvents(
  events: readonly string[],
  project_id: string | null,
  caller: Pick<Caller, 'permissions'>,
): string[] {
  for (const type of events) {
    if (type === '*') continue;
    if (!isDeliverable(type)) throw invalidField('events', `${type} is no type of event`);
    if (!entryOf(type).adminOnly) continue;
    requirePermission(caller, 'admin');
    if (project_id !== null) throw invalidField('events', `${type} belongs to no project`);
  }
  return [...new Set(events)];
}
