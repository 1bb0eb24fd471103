import type { Ajv } from 'ajv';
import addFormats from 'ajv-formats';

/** A named format of `rules.format`: how it is checked, and what a caller is told who missed it. */
export interface Format {
  issue: string;
  /** For formats that JSON Schema does not know, so that documents can state them. */
  pattern?: string;
}

/** Every format that a field may ask for. */
export const formats: Readonly<Record<string, Format>> = {
  uuid: { issue: 'must be a UUID' },
  'date-time': { issue: 'must be a date and time as in 2025-07-30T12:00:00Z' },
  email: { issue: 'must be a mail address' },
  uri: { issue: 'must be an absolute URI' },
  duration: { issue: 'must be a duration of the form HH:MM:SS', pattern: '^\\d{2,6}:[0-5]\\d:[0-5]\\d$' },
  language: { issue: 'must be a language tag (BCP 47) such as en or pt-BR' },
  timezone: { issue: 'must be the name of a time zone (IANA) such as Europe/Berlin' },
  'byte-size': {
    issue: 'must be a size such as 10MB',
    pattern: '^\\d{1,9}(\\.\\d{1,9})?[KkMmGgTt]?[Bb]$',
  },
};

/** Teach ajv the formats. */
export function installFormats(ajv: Ajv): void {
  addFormats.default(ajv, ['date-time', 'email', 'uri']);
  // The UUID of ajv-formats accepts a "urn:uuid:" prefix, which no id of ours has.
  ajv.addFormat('uuid', /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i);
  // RFC 3339 has leap seconds and the year 0; neither Date nor a protobuf Timestamp does.
  const known = ajv.formats['date-time'];
  const isRfc3339 = (typeof known === 'object' && 'validate' in known ? known.validate : undefined) as
    | Check
    | undefined;
  if (!isRfc3339) throw new Error('ajv-formats has no date-time');
  ajv.addFormat('date-time', (text: string) => isRfc3339(text) && Date.parse(text) >= firstTimestamp);
  ajv.addFormat('language', (text: string) => isAcceptedBy(() => Intl.getCanonicalLocales(text)));
  // Offsets such as +02:00 are accepted by Intl, but are no names: they do not know summer time.
  ajv.addFormat(
    'timezone',
    (text: string) => /^[A-Za-z]/.test(text) && isAcceptedBy(() => new Intl.DateTimeFormat('en', { timeZone: text })),
  );
  for (const [name, { pattern }] of Object.entries(formats)) {
    if (pattern) ajv.addFormat(name, new RegExp(pattern, 'u'));
  }
}

function isAcceptedBy(attempt: () => unknown): boolean {
  try {
    attempt();
    return true;
  } catch {
    return false;
  }
}

type Check = (text: string) => boolean;

// Also false for NaN, which is what Date.parse says to anything that Date cannot hold.
const firstTimestamp = Date.parse('0001-01-01T00:00:00Z');
