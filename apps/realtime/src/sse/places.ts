import type { Message } from '../messages/encoded.ts';
import type { Position } from '../streams/item.ts';
import type { Since } from '../streams/recovery.ts';

/** Places that an id holds at most: those of one subscription, and of epochs that ended meanwhile. */
const most = 4;

/**
 * The places up to which a client of an event stream has heard everything, as the id of each event tells them:
 * "<epoch>:<seq>", with commas where a channel follows several sequences.
 */
export class Places {
  readonly #seqs = new Map<string, number>();
  readonly #ofCommand: boolean;

  /** @param ofCommand whether what is followed is the output of a command */
  constructor(begin: readonly Position[], ofCommand: boolean) {
    for (const { epoch, seq } of begin) this.#seqs.set(epoch, seq);
    this.#ofCommand = ofCommand;
  }

  /** The id, once anything is followed that one can go on after. */
  get id(): string | undefined {
    return this.#seqs.size === 0 ? undefined : [...this.#seqs].map(([epoch, seq]) => `${epoch}:${seq}`).join(',');
  }

  /** A message was sent. @returns the id that goes with it, if it has a number of what is followed */
  after({ type, epoch, seq }: Message): string | undefined {
    // Output is heard with other channels, too, under numbers of its own.
    const isOutput = type === 'command_output' || type === 'command_finished';
    if (this.#seqs.size === 0 || epoch === undefined || seq === undefined || isOutput !== this.#ofCommand)
      return undefined;
    this.#seqs.delete(epoch);
    this.#seqs.set(epoch, seq);
    const [oldest] = this.#seqs.keys();
    if (this.#seqs.size > most && oldest !== undefined) this.#seqs.delete(oldest);
    return this.id;
  }
}

/** The places in an id. */
export function placesIn(id: string): Since[] {
  return id.split(',').map((place) => {
    const end = place.lastIndexOf(':');
    return { epoch: place.slice(0, end), seq: Number(place.slice(end + 1)) };
  });
}
