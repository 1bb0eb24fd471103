import type { CloseReason } from '../connections/link.ts';
import { dataMessage, type Encoded } from './encoded.ts';

/** Says why a connection is about to end, where the transport has no close codes. */
export function closingMessage(code: number, reason: CloseReason): Encoded {
  return dataMessage('closing', { code, ...(typeof reason === 'string' ? { reason } : reason) });
}
