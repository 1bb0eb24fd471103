import type { PlatformError } from '@claude-cli/shared/errors';

/** An error after which the connection is closed. */
export class Refusal extends Error {
  readonly error: PlatformError;
  readonly closeCode: number;

  constructor(error: PlatformError, closeCode: number) {
    super(error.message);
    this.error = error;
    this.closeCode = closeCode;
  }
}
