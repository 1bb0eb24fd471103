/** What is asked for: channel, and what it is about, in the names of the API. */
export type Wanted = Readonly<Record<string, unknown> & { channel: string }>;

/** A message as it came. */
type Received = Readonly<Record<string, unknown>>;

interface Place {
  epoch: string;
  seq: number;
}

/** A subscription, and the places after which it is heard, by epoch. */
interface Kept {
  wanted: Wanted;
  places: Map<string, number>;
  /** It is being told what it missed, so numbers may come that are below others that came. */
  behind: boolean;
}

/** What was heard of an epoch. */
interface Heard {
  /** Everything up to this number was heard. */
  upTo: number;
  /** What was heard beyond, while a subscription is behind. */
  ahead: Set<number>;
}

/** Numbers beyond, of one epoch, that are remembered; the platform keeps about half as many. */
const mostAhead = 20_000;

/** Channels that tell how something is: who comes back is told at once, and has missed nothing. */
const stateChannels = ['queue_status', 'performance_data'];

/**
 * The subscriptions of a live connection, with how far each has been heard, so that after a loss they go on just there.
 * Several subscriptions may follow the same epoch; the platform sends each message once.
 */
export class LiveSubscriptions {
  readonly #kept = new Map<string, Kept>();
  readonly #heard = new Map<string, Heard>();

  /** Remember that something is wanted, now and after every loss. */
  add(wanted: Wanted): void {
    const known = this.#kept.get(keyOf(wanted));
    // The same with another interval, perhaps.
    if (known) known.wanted = wanted;
    else this.#kept.set(keyOf(wanted), { wanted, places: new Map(), behind: false });
  }

  /** It is wanted no more. */
  remove(wanted: Wanted): void {
    this.#kept.delete(keyOf(wanted));
    this.#forget();
  }

  /** What to ask for after a loss: everything, each after what was heard of it. */
  again(): { wanted: Wanted; request: Wanted }[] {
    return [...this.#kept.values()].map((kept) => {
      kept.behind = kept.places.size > 0;
      const since = [...kept.places].map(([epoch, from]) => ({ epoch, seq: Math.max(from, this.#upTo(epoch)) }));
      // The newest: an execution that was tried again and again has had many runs.
      const request = kept.behind ? { since: since.slice(-4), caught_up: true } : {};
      return { wanted: kept.wanted, request: { ...kept.wanted, ...request } };
    });
  }

  /** The platform has granted a subscription. @returns whether something was missed that is not told any more */
  granted(wanted: Wanted, data: Received, isAgain: boolean): boolean {
    const kept = this.#kept.get(keyOf(wanted));
    if (!kept) return false;
    const { epoch, seq, also = [], recovered } = data as Partial<Place> & { also?: Place[]; recovered?: boolean };
    const missed = isAgain && recovered !== true && !stateChannels.includes(kept.wanted.channel);
    if (missed) kept.places.clear();
    const places = epoch === undefined || seq === undefined ? [] : [{ epoch, seq }, ...also];
    for (const place of places) this.#follow(kept, place);
    this.#forget();
    return missed;
  }

  /** A subscription is not behind any more, or was refused. */
  caughtUp(wanted: Received): void {
    const kept = this.#kept.get(keyOf(wanted));
    if (!kept) return;
    kept.behind = false;
    for (const epoch of kept.places.keys()) {
      const heard = this.#heard.get(epoch);
      if (!heard || this.#isBehind(epoch)) continue;
      heard.upTo = Math.max(heard.upTo, ...heard.ahead);
      heard.ahead.clear();
    }
  }

  /** A message has come. @returns whether it is new */
  hear({ epoch, seq, data }: Received): boolean {
    if (typeof epoch !== 'string' || typeof seq !== 'number') return true;
    const heard = this.#heard.get(epoch) ?? this.#ofNewRun(epoch, (data as Received | undefined)?.command_id);
    if (!heard) return true;
    if (!this.#isBehind(epoch)) {
      heard.upTo = Math.max(heard.upTo, seq);
      return true;
    }
    if (seq <= heard.upTo || heard.ahead.has(seq)) return false;
    if (heard.ahead.size < mostAhead) heard.ahead.add(seq);
    return true;
  }

  /** Another run of a command that is followed is heard from its beginning, without a word before. */
  #ofNewRun(epoch: string, commandId: unknown): Heard | undefined {
    const isMeant = ({ wanted }: Kept) => commandId !== undefined && wanted.command_id === commandId;
    for (const kept of this.#kept.values()) if (isMeant(kept)) this.#follow(kept, { epoch, seq: 0 });
    return this.#heard.get(epoch);
  }

  #follow({ places }: Kept, { epoch, seq }: Place): void {
    if (!places.has(epoch)) places.set(epoch, seq);
    if (!this.#heard.has(epoch)) this.#heard.set(epoch, { upTo: seq, ahead: new Set() });
  }

  #upTo(epoch: string): number {
    return this.#heard.get(epoch)?.upTo ?? 0;
  }

  #isBehind(epoch: string): boolean {
    for (const { behind, places } of this.#kept.values()) if (behind && places.has(epoch)) return true;
    return false;
  }

  #forget(): void {
    const followed = new Set([...this.#kept.values()].flatMap(({ places }) => [...places.keys()]));
    for (const epoch of this.#heard.keys()) if (!followed.has(epoch)) this.#heard.delete(epoch);
  }
}

const targets = ['project_id', 'task_id', 'command_id', 'queue_name'];

/** Equal for what is wanted and for what the platform says of it. */
function keyOf(wanted: Received): string {
  return JSON.stringify([wanted.channel, ...targets.map((name) => wanted[name] ?? null)]);
}
