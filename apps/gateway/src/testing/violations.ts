import { type DescField, ScalarType } from '@bufbuild/protobuf';
import type { ErrorCode } from '@claude-cli/shared/errors';
import type { Rules } from '../contract/contract.ts';

/** A value that a field must refuse, and with which code. */
export interface Violation {
  what: string;
  value: unknown;
  code: ErrorCode;
}

const defaultMaxBytes = 65_536;

/** What one value of a field must refuse. Lists are made of such values; see {@link listViolationsOf}. */
export function violationsOf(field: DescField, rules: Rules): Violation[] {
  if (field.message) return ofMessage(field, rules);
  if (field.enum) return [...ofAnotherType({ $ne: 'x' }, 5, true), violation('an unknown value', 'nonsense')];
  switch (field.scalar) {
    case ScalarType.STRING:
      return ofString(rules);
    case ScalarType.BOOL:
      return ofAnotherType('yes', 1, { $ne: true });
    default:
      return ofNumber(field, rules);
  }
}

/** What a list must refuse as a whole. @param item a value that it accepts */
export function listViolationsOf(rules: Rules, item: unknown): Violation[] {
  const { minItems, maxItems, required } = rules;
  const violations = ofAnotherType({ $ne: [] }, true);
  if (maxItems !== undefined) {
    const tooMany = Array.from({ length: maxItems + 1 }, () => item);
    violations.push(violation('too many items', tooMany, 'VALIDATION_VALUE_TOO_LONG'));
  }
  if ((minItems ?? Number(required)) > 0) violations.push(violation('no items', [], 'VALIDATION_VALUE_TOO_SHORT'));
  return violations;
}

function ofMessage({ message }: DescField, { maxBytes }: Rules): Violation[] {
  if (message?.typeName === 'google.protobuf.Timestamp') {
    return [
      ...ofAnotherType(5, {}, true),
      violation('no time', 'yesterday', 'VALIDATION_INVALID_FORMAT'),
      violation('a time that there is not', '2025-02-30T00:00:00Z', 'VALIDATION_INVALID_FORMAT'),
    ];
  }
  const violations = ofAnotherType('text', 5, [1]);
  if (message?.typeName === 'google.protobuf.Struct') {
    const tooLarge = { key: 'x'.repeat(maxBytes || defaultMaxBytes) };
    violations.push(violation('too many bytes', tooLarge, 'VALIDATION_VALUE_TOO_LONG'));
    const hostile = JSON.parse('{"__proto__": {"polluted": true}}');
    violations.push(violation('a key that pollutes prototypes', hostile, 'VALIDATION_INVALID_FORMAT'));
  }
  return violations;
}

function ofString({ required, minLength, maxLength, format, pattern, oneOf }: Rules): Violation[] {
  const violations = ofAnotherType(5, { $ne: '' }, true, ['x']);
  if (oneOf.length > 0) return [...violations, violation('an unknown value', 'nonsense')];
  if (maxLength !== undefined) {
    violations.push(violation('too long', 'x'.repeat(maxLength + 1), 'VALIDATION_VALUE_TOO_LONG'));
  }
  if ((minLength ?? Number(required)) > 0) violations.push(violation('empty', '', 'VALIDATION_VALUE_TOO_SHORT'));
  if (format) violations.push(violation(`no ${format}`, '{"$gt":""}', 'VALIDATION_INVALID_FORMAT'));
  if (pattern) violations.push(violation('blank', ' '.repeat(minLength ?? 1), 'VALIDATION_INVALID_FORMAT'));
  const nul = `a\0${'b'.repeat(Math.max(0, (minLength ?? 0) - 2))}`;
  if (!format && !pattern) violations.push(violation('NUL', nul, 'VALIDATION_INVALID_FORMAT'));
  return violations;
}

function ofNumber({ scalar }: DescField, { minimum, maximum }: Rules): Violation[] {
  const violations = ofAnotherType('many', { $gt: 0 }, true);
  if (minimum !== undefined) violations.push(violation('too small', minimum - 1));
  if (maximum !== undefined) violations.push(violation('too large', maximum + 1));
  if (scalar !== ScalarType.DOUBLE) violations.push(violation('a fraction', 1.5));
  return violations;
}

function ofAnotherType(...values: unknown[]): Violation[] {
  return values.map((value) => violation(`another type: ${JSON.stringify(value)}`, value));
}

function violation(what: string, value: unknown, code: ErrorCode = 'VALIDATION_ERROR'): Violation {
  return { what, value, code };
}
