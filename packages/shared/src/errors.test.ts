import { readFileSync } from 'node:fs';
import { Metadata, status } from '@grpc/grpc-js';
import { describe, expect, test } from '@jest/globals';
import { errorKinds, PlatformError } from './errors.ts';
import { errorFromMetadata, errorToMetadata } from './grpc/metadata.ts';

describe('errors', () => {
  test('every code has an HTTP error status, a gRPC error status and a meaning', () => {
    for (const [code, { http, grpc, meaning }] of Object.entries(errorKinds)) {
      expect({ code, http }).toEqual({ code, http: expect.any(Number) });
      expect(http).toBeGreaterThanOrEqual(400);
      expect(grpc).not.toBe(status.OK);
      expect(meaning).not.toBe('');
    }
  });

  test('code, message and details survive the way through gRPC metadata', () => {
    const sent = new PlatformError('TASK_NOT_FOUND', 'The task does not exist', { task_id: 'ü' });
    const received = errorFromMetadata(errorToMetadata(sent), sent.message, undefined);
    expect(received).toMatchObject({ code: sent.code, message: sent.message, details: sent.details, httpStatus: 404 });
  });

  test('metadata with an unknown code is no error of ours', () => {
    const metadata = new Metadata();
    metadata.set('platform-error-bin', Buffer.from('{"code":"constructor"}'));
    expect(errorFromMetadata(metadata, '', undefined)).toBeUndefined();
  });

  test('what was thrown by accident does not show its text', () => {
    const error = PlatformError.from(new Error('password is hunter2'));
    expect(error.code).toBe('INTERNAL_SERVER_ERROR');
    expect(JSON.stringify({ ...error, message: error.message })).not.toContain('hunter2');
  });

  test('the documented table of codes is the table of the code', () => {
    const document = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8');
    const rows = Object.entries(errorKinds).map(
      ([code, { http, meaning }]) => `| \`${code}\` | ${http} | ${meaning} |`,
    );
    expect(document).toContain(rows.join('\n'));
  });
});
