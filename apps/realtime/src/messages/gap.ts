import { dataMessage, type Encoded } from './encoded.ts';

/** What a client misses. */
export interface Gap {
  channel: string;
  /** How many messages; null when nobody knows. */
  dropped: number | null;
  /** The command whose output it is, where it is output of one. */
  command_id?: string;
  /** The numbers that lack, both included, where they are known. */
  epoch?: string;
  from?: number;
  to?: number;
}

/** Says that a client missed messages of a channel. */
export function gapMessage(gap: Gap): Encoded {
  return dataMessage('gap', gap);
}
