import type { AnyEvent } from '@claude-cli/shared/events';
import type { Encoded } from '../messages/encoded.ts';

/** A place in a stream: after the message with this number of this epoch. */
export interface Position {
  /** Names one unbroken sequence of numbers; when it changes, numbers begin anew. */
  epoch: string;
  seq: number;
}

/** What happened at one time in a stream. Its messages have the numbers from seq to end. */
export interface Item {
  epoch: string;
  seq: number;
  end: number;
  event: AnyEvent;
  /** Who hears it; see topicsOf. */
  topics: readonly string[];
  /** Made at the first call, and the same for everybody. */
  messages(): readonly Encoded[];
}
