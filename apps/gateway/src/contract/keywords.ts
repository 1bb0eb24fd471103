import type { Ajv, SchemaValidateFunction } from 'ajv';

/** Deepest nesting of a free-form object. */
const maxDepth = 32;

/** Whether a text can be stored and sent anywhere: no NUL, no half of a surrogate pair. */
function isText(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

/** Teach ajv our keywords: `text` for strings, `freeForm` for objects whose shape is the caller's. */
export function installKeywords(ajv: Ajv): void {
  ajv.addKeyword({ keyword: 'text', type: 'string', schemaType: 'boolean', validate: textKeyword });
  ajv.addKeyword({ keyword: 'freeForm', schemaType: 'object', validate: freeFormKeyword });
}

const textKeyword: SchemaValidateFunction = (_schema: boolean, value: string) =>
  isText(value) || refuse(textKeyword, 'text', 'must not hold NUL or broken characters');

const freeFormKeyword: SchemaValidateFunction = ({ maxBytes }: { maxBytes: number }, value: unknown) => {
  const issue = issueOf(value, 1);
  if (issue) return refuse(freeFormKeyword, 'freeForm', issue);
  // Only after the depth is known to be bounded: JSON.stringify recurses.
  if (Buffer.byteLength(JSON.stringify(value)) <= maxBytes) return true;
  return refuse(freeFormKeyword, 'freeFormSize', `must be at most ${maxBytes} bytes of JSON`);
};

function refuse(keyword: SchemaValidateFunction, name: string, message: string): false {
  keyword.errors = [{ keyword: name, message, params: {} }];
  return false;
}

function issueOf(value: unknown, depth: number): string | undefined {
  if (typeof value === 'string' && !isText(value)) return 'must not hold NUL or broken characters';
  // JSON has no infinity, but JSON.parse reads 1e999 as one.
  if (typeof value === 'number' && !Number.isFinite(value)) return 'must not hold numbers beyond those of JSON';
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth > maxDepth) return `must not be nested deeper than ${maxDepth} levels`;
  for (const key of Object.keys(value)) {
    if (key === '__proto__' || !isText(key)) return 'must not hold such a key';
    const issue = issueOf((value as Record<string, unknown>)[key], depth + 1);
    if (issue) return issue;
  }
  return undefined;
}
