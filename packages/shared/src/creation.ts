import { isId, newId } from './ids.ts';

/** What a request creates that must not be done twice, such as one with an Idempotency-Key. */
export interface Creation {
  /** Its id (UUIDv7): the same for each attempt of the request. */
  id: string;
  /** An earlier attempt died, and nobody knows how far it came: what it was to create may be there. */
  again: boolean;
}

/** Whatever carries what the request creates; absent: it may be done as often as it is asked for. */
interface Creating {
  creates?: Creation;
}

/** The id for what a request creates. */
export function idForNew({ creates }: Creating): string {
  return creates?.id ?? newId();
}

/**
 * Answer with what the request creates: by what an earlier attempt of it has created, or is creating at the same time, else by
 * creating it.
 * @param find the answer about what has this id, when it is there and the caller's
 * @param make creates it, under the id for new things; of two at the same time the later fails, or puts its own in the place of the other
 */
export async function makeOnce<Answer>(
  { creates }: Creating,
  find: (id: string) => Promise<Answer | undefined>,
  make: () => Promise<Answer>,
): Promise<Answer> {
  if (!creates?.again) return make();
  const made = await find(creates.id);
  if (made !== undefined) return made;
  try {
    return await make();
  } catch (error) {
    const madeMeanwhile = await find(creates.id);
    if (madeMeanwhile === undefined) throw error;
    return madeMeanwhile;
  }
}

/** Reads a creation that came from elsewhere; undefined when it is none. */
export function readCreation(value: unknown): Creation | undefined {
  const { id, again } = (value ?? {}) as Partial<Record<keyof Creation, unknown>>;
  return isId(id) ? { id, again: again === true } : undefined;
}
