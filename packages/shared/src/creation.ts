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
 * What an earlier attempt of the request has created, which is then the answer to this one.
 * @param find by its id, among what the caller has created
 */
export async function madeBefore<Made>(
  { creates }: Creating,
  find: (id: string) => Promise<Made | null>,
): Promise<Made | undefined> {
  return creates?.again ? ((await find(creates.id)) ?? undefined) : undefined;
}

/** Reads a creation that came from elsewhere; undefined when it is none. */
export function readCreation(value: unknown): Creation | undefined {
  const { id, again } = (value ?? {}) as Partial<Record<keyof Creation, unknown>>;
  return isId(id) ? { id, again: again === true } : undefined;
}
