import type { Limits } from '../limits.ts';
import type { Encoded } from '../messages/encoded.ts';
import { type Gap, gapMessage } from '../messages/gap.ts';
import { countDropped, countSlowClient } from '../metrics/prometheus.ts';

/** The way to one client, as far as a queue in front of it needs to know. */
export interface Pipe {
  /** Whether more would only wait in memory; then `flush` is called when it is not so any more. */
  readonly full: boolean;
  write(message: Encoded): void;
}

/** Bounds of the queue, in bytes. */
export type OutboundLimits = Pick<Limits, 'coalesceBytes' | 'dropOutputBytes' | 'disconnectBytes'>;

/** Something that waits: a message, or a gap that may still grow. */
type Waiting = { bytes: number } & ({ message: Encoded; gap?: never } | { gap: Gap & Lacking; message?: never });

/** The numbers that lack. */
interface Lacking {
  dropped: number;
  from: number;
  to: number;
}

/** What a gap notice counts. */
const gapBytes = 256;

/**
 * The messages that wait for one client. What a client does not read waits in memory, so it is bounded: above the first
 * limit an update of a task takes the place of an older one that still waits, above the second output is dropped, and
 * where it was, a notice says which; above the third it is given up. Final states and answers are never dropped.
 */
export class Outbound {
  /** Bytes that wait. */
  bytes = 0;
  readonly #pipe: Pipe;
  readonly #limits: OutboundLimits;
  readonly #giveUp: () => void;
  readonly #waiting = new Set<Waiting>();
  readonly #replaceable = new Map<string, Waiting>();
  readonly #gaps = new Map<string, Gap & Lacking>();
  #dropping = false;
  #over = false;
  #drained = Promise.withResolvers<void>();

  /** @param giveUp called once when too much waits */
  constructor(pipe: Pipe, limits: OutboundLimits, giveUp: () => void) {
    this.#pipe = pipe;
    this.#limits = limits;
    this.#giveUp = giveUp;
    this.#drained.resolve();
  }

  /** Send, keep, drop or give up. */
  send(message: Encoded): void {
    if (this.#over) return;
    if (this.#waiting.size === 0 && !this.#pipe.full) this.#pipe.write(message);
    else this.#keepOrDrop(message);
  }

  /** Pass on what waits, as far as there is room. */
  flush(): void {
    for (const waiting of this.#waiting) {
      if (this.#pipe.full) break;
      this.#forget(waiting);
      this.#pipe.write(waiting.message ?? gapMessage(waiting.gap));
    }
    if (this.bytes < this.#limits.dropOutputBytes / 2) this.#dropping = false;
    if (this.bytes <= this.#limits.coalesceBytes / 2) this.#drained.resolve();
  }

  /** Resolves when little waits, or nothing is sent any more. */
  drained(): Promise<void> {
    return this.#drained.promise;
  }

  /** Nothing is sent any more. */
  end(): void {
    this.#over = true;
    this.#waiting.clear();
    this.#replaceable.clear();
    this.#gaps.clear();
    this.bytes = 0;
    this.#drained.resolve();
  }

  #keepOrDrop(message: Encoded): void {
    const { droppable, replaces, replaceableBy } = message.patience;
    if (replaces !== undefined && this.bytes > this.#limits.coalesceBytes) this.#replace(replaces);
    if (droppable) {
      this.#dropping ||= this.bytes > this.#limits.dropOutputBytes;
      if (this.#dropping) {
        this.#drop(droppable);
        return;
      }
      // What is dropped from now on is another hole.
      this.#gaps.delete(droppable.epoch);
    }
    const waiting = { message, bytes: message.bytes.length };
    this.#keep(waiting);
    if (replaceableBy !== undefined) this.#replaceable.set(replaceableBy, waiting);
  }

  #keep(waiting: Waiting): void {
    this.#waiting.add(waiting);
    const before = this.bytes;
    this.bytes += waiting.bytes;
    if (this.bytes > this.#limits.disconnectBytes) {
      this.end();
      countSlowClient();
      this.#giveUp();
      return;
    }
    const little = this.#limits.coalesceBytes / 2;
    if (before <= little && this.bytes > little) this.#drained = Promise.withResolvers();
  }

  #forget(waiting: Waiting): void {
    this.#waiting.delete(waiting);
    this.bytes -= waiting.bytes;
    if (waiting.gap) {
      if (this.#gaps.get(waiting.gap.epoch ?? '') === waiting.gap) this.#gaps.delete(waiting.gap.epoch ?? '');
      return;
    }
    const name = waiting.message.patience.replaceableBy;
    if (name !== undefined && this.#replaceable.get(name) === waiting) this.#replaceable.delete(name);
  }

  #replace(name: string): void {
    const older = this.#replaceable.get(name);
    if (older) this.#forget(older);
  }

  #drop({ command_id, epoch, from, to }: { command_id: string; epoch: string; from: number; to: number }): void {
    const known = this.#gaps.get(epoch);
    const dropped = to - from + 1;
    countDropped(dropped, known === undefined);
    if (known) {
      known.to = to;
      known.dropped += dropped;
      return;
    }
    const gap = { channel: 'command_output', dropped, command_id, epoch, from, to };
    this.#gaps.set(epoch, gap);
    this.#keep({ gap, bytes: gapBytes });
  }
}
