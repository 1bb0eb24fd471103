import { Batches, inGroups } from '@claude-cli/shared/batches';
import { BoundedMap } from '@claude-cli/shared/bounded-map';
import type { Logger } from '@claude-cli/shared/logger';
import type { mongo } from 'mongoose';
import type { Holder, ProjectSlots, SlotModel } from './slots.ts';

/** Releases that are done together at most. */
const most = 200;
/**
 * For so many milliseconds those that have ended gather where nobody waits for their slots: a crash leaves them to the sweep, as it
 * does with one that is just being given back.
 */
const gatherMs = 100;
/** Share of a project's slots that gather at most: what a crash leaves must not keep it from running. */
const keptShare = 1 / 4;
/** Projects of which it is known that somebody waits for a slot, and how many they have. */
const known = 10_000;

/** Gives slots back, and lets those that wait for them have their turn. */
export class SlotReleases implements AsyncDisposable {
  readonly #wake: (project_id: string) => Promise<unknown>;
  readonly #log: Logger;
  readonly #releases: Batches<Holder, ProjectSlots | null>;
  readonly #soon: Batches<Holder, undefined>;
  /** Slots that are not given back yet. */
  readonly #kept = new Set<Holder>();
  /** Projects in which somebody waited when they were seen last. */
  readonly #wanted = new BoundedMap<string, true>(known);
  /** How many slots projects had when one was taken last. */
  readonly #limits = new BoundedMap<string, number>(known);

  /** @param wake lets one of a project that waits for a slot have its turn */
  constructor(slots: SlotModel, wake: (project_id: string) => Promise<unknown>, log: Logger) {
    this.#wake = wake;
    this.#log = log;
    this.#releases = new Batches(
      (holders) =>
        inGroups(
          holders,
          ({ project_id }) => project_id,
          (ofOne) => release(slots, ofOne),
        ),
      { most },
    );
    this.#soon = new Batches(
      async (holders) => {
        await this.#passOnKept(holders);
        return holders.map(() => undefined);
      },
      { most, gatherMs },
    );
  }

  /** A project has so many slots. */
  noteLimit(project_id: string, limit: number): void {
    this.#limits.set(project_id, limit);
  }

  /** Give the slot of an execution back, and let the next one that waits for it have its turn. */
  async passOn(holder: Holder): Promise<void> {
    const { project_id } = holder;
    const slots = await this.#releases.add(holder);
    if (!slots?.refused_at) return this.#wanted.delete(project_id);
    this.#wanted.set(project_id, true);
    await this.#wake(project_id);
  }

  /**
   * The same for an execution that has ended and never takes a slot again: a moment later where nobody is known to wait, together
   * with those that end meanwhile.
   */
  async passOnSoon(holder: Holder): Promise<void> {
    const { project_id } = holder;
    const most = Math.floor((this.#limits.get(project_id) ?? 0) * keptShare);
    if (this.#wanted.get(project_id) || this.#keptOf(project_id).length >= most) return this.passOn(holder);
    this.#kept.add(holder);
    this.#soon
      .add(holder)
      .catch((err) =>
        this.#log.warn({ err, execution_id: holder._id }, 'the slot of an execution is left to the sweep'),
      );
  }

  /** Somebody waits for a slot: those of the project that are not given back yet are now. @returns whether there was one */
  async hurry(project_id: string): Promise<boolean> {
    this.#wanted.set(project_id, true);
    const kept = this.#keptOf(project_id);
    await this.#passOnKept(kept);
    return kept.length > 0;
  }

  /** Waits for what is to be given back. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#soon[Symbol.asyncDispose]();
  }

  #keptOf(project_id: string): Holder[] {
    return [...this.#kept].filter((holder) => holder.project_id === project_id);
  }

  async #passOnKept(holders: Holder[]): Promise<void> {
    const still = holders.filter((holder) => this.#kept.delete(holder));
    await Promise.all(still.map((holder) => this.passOn(holder)));
  }
}

/** Give back slots of one project. @returns for each what is left */
async function release(slots: SlotModel, holders: Holder[]): Promise<(ProjectSlots | null)[]> {
  const [first] = holders;
  const held = { $in: holders.map(({ _id }) => _id) };
  const left = await (slots.collection as unknown as mongo.Collection<ProjectSlots>).findOneAndUpdate(
    { _id: first?.project_id ?? '' },
    { $pull: { holders: held } },
    { returnDocument: 'after' },
  );
  return holders.map(() => left);
}
