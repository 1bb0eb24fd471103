import type { DescMessage } from '@bufbuild/protobuf';
import { type ErrorCode, PlatformError } from '@claude-cli/shared/errors';
import { Ajv, type ErrorObject } from 'ajv';
import type { Contract } from './contract.ts';
import { formats, installFormats } from './formats.ts';
import { installKeywords } from './keywords.ts';
import { type Dialect, requestSchema } from './schema.ts';

/** Our code for each keyword of JSON Schema that a request can violate. */
const codeOfKeyword: Readonly<Record<string, ErrorCode>> = {
  required: 'VALIDATION_REQUIRED_FIELD',
  type: 'VALIDATION_ERROR',
  enum: 'VALIDATION_ERROR',
  minimum: 'VALIDATION_ERROR',
  maximum: 'VALIDATION_ERROR',
  additionalProperties: 'VALIDATION_ERROR',
  freeForm: 'VALIDATION_INVALID_FORMAT',
  freeFormSize: 'VALIDATION_VALUE_TOO_LONG',
  text: 'VALIDATION_INVALID_FORMAT',
  not: 'VALIDATION_INVALID_FORMAT',
  format: 'VALIDATION_INVALID_FORMAT',
  pattern: 'VALIDATION_INVALID_FORMAT',
  maxLength: 'VALIDATION_VALUE_TOO_LONG',
  maxItems: 'VALIDATION_VALUE_TOO_LONG',
  maxProperties: 'VALIDATION_VALUE_TOO_LONG',
  minLength: 'VALIDATION_VALUE_TOO_SHORT',
  minItems: 'VALIDATION_VALUE_TOO_SHORT',
  minProperties: 'VALIDATION_VALUE_TOO_SHORT',
};

/** Checks a request and fills in the defaults of absent fields. @throws PlatformError VALIDATION_* with the first field that is wrong */
export type Validate = (request: Record<string, unknown>) => void;

/** A compiler of validators for the messages of a contract. */
export function validatorsOf(contract: Contract): (message: DescMessage) => Validate {
  // Without allErrors: what a caller can make us do stays proportional to what is right about the request.
  const ajv = new Ajv({ useDefaults: true, allowUnionTypes: true, strictTypes: false, ownProperties: true });
  installFormats(ajv);
  installKeywords(ajv);
  const dialect: Dialect = { contract, purpose: 'validation', nested: (message) => requestSchema(message, dialect) };
  return (message) => {
    const check = ajv.compile(requestSchema(message, dialect));
    return (request) => {
      if (check(request)) return;
      const [error] = check.errors ?? [];
      throw error ? validationError(error) : new Error('ajv refused without saying why');
    };
  };
}

/** The error of the request as a whole or of one field, named as callers know it. */
export function invalid(
  field: string,
  issue: string,
  code: ErrorCode = 'VALIDATION_ERROR',
  cause?: unknown,
): PlatformError {
  return new PlatformError(code, 'Invalid input data', { field: field.slice(0, 200).toWellFormed(), issue }, cause);
}

function validationError(error: ErrorObject): PlatformError {
  const { keyword, params, instancePath } = error;
  const steps = instancePath.split('/').slice(1);
  const path = steps.map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  const last = params.missingProperty ?? params.additionalProperty ?? error.propertyName;
  const field = last === undefined ? path : [...path, String(last)];
  return invalid(field.join('.') || 'body', issueOf(error), codeOfKeyword[keyword] ?? 'VALIDATION_ERROR');
}

function issueOf({ keyword, params, message }: ErrorObject): string {
  switch (keyword) {
    case 'required':
      return 'Field is required';
    case 'additionalProperties':
      return 'Field is unknown';
    case 'not':
      return 'must not have this name';
    case 'enum':
      return `must be one of ${params.allowedValues.join(', ')}`;
    case 'format':
      return formats[params.format]?.issue ?? 'has the wrong format';
    case 'pattern':
      // The only pattern in wide use asks for something that is not blank.
      return params.pattern === '\\S' ? 'must not be blank' : `must match ${params.pattern}`;
    default:
      return message ?? 'is not valid';
  }
}
