import type { Item, Position } from './item.ts';

/** Some items of a stream that follow each other. */
export interface Page {
  /** Oldest first. */
  items: readonly Item[];
  /** Nothing follows for now. */
  complete: boolean;
  /** The present epoch, where reading tells it. */
  epoch?: string;
}

/** Whatever number was given last. */
export const newest = Number.MAX_SAFE_INTEGER;

/** Where what happened in a stream can be read again. */
export interface History {
  /** How far it has come. */
  head(): Promise<Position>;
  /**
   * What comes after a place. An item that begins after the number that is next says that those between them are gone.
   * @param upTo a number that is known to have been given; `newest` for whatever there is when this is called
   */
  after(position: Position, upTo: number): Promise<Page>;
  /** How long something may be known to watchers before it can be read here, in milliseconds. */
  readonly lagMs: number;
  /** What is gone is told by a gap; otherwise whoever needs it is told to reload. */
  readonly tellsGaps: boolean;
}
