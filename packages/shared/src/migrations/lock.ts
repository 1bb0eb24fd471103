import { setTimeout as delay } from 'node:timers/promises';
import type { Connection } from 'mongoose';
import { newId } from '../ids.ts';
import type { Logger } from '../logger.ts';
import { isDuplicateKey } from '../mongo.ts';
import { every } from '../timer.ts';

interface Lock {
  _id: 'lock';
  holder: string;
  /** Until when it is held unless it is renewed: whoever died leaves it to others. */
  expires_at: Date;
}

/** How the lock of a database is held, in milliseconds. */
export interface LockTimes {
  /** How long it is held without being renewed. */
  heldMs: number;
  /** Pause between attempts to take it. */
  pauseMs: number;
  /** How long somebody else is waited for. */
  waitMs: number;
}

const usual: LockTimes = { heldMs: 60_000, pauseMs: 500, waitMs: 3_600_000 };

/**
 * Take the lock of a database's migrations: one at a time changes it. Dispose of it to let the next one in.
 * @throws Error when somebody else holds it for too long
 */
export async function lockMigrations(
  { db }: Pick<Connection, 'db'>,
  log: Logger,
  { heldMs, pauseMs, waitMs }: LockTimes = usual,
): Promise<AsyncDisposable> {
  const locks = db?.collection<Lock>('migrations');
  const holder = newId();
  const until = () => new Date(Date.now() + heldMs);
  const takeIt = async (): Promise<boolean> => {
    const expired = { _id: 'lock', expires_at: { $lt: new Date() } } as const;
    try {
      await locks?.updateOne(expired, { $set: { holder, expires_at: until() } }, { upsert: true });
      return true;
    } catch (err) {
      // It is there and has not expired.
      if (isDuplicateKey(err)) return false;
      throw err;
    }
  };
  const giveUpAt = Date.now() + waitMs;
  for (let told = false; !(await takeIt()); told = true) {
    if (!told) log.info('another migration of this database is under way; waiting for it');
    if (Date.now() > giveUpAt) throw new Error(`another migration has held the lock for ${waitMs / 1000} s`);
    await delay(pauseMs);
  }
  const renew = async () => void (await locks?.updateOne({ _id: 'lock', holder }, { $set: { expires_at: until() } }));
  const renewing = every(heldMs / 3, 'holding the lock of the migration', renew, log);
  return {
    async [Symbol.asyncDispose]() {
      await renewing[Symbol.asyncDispose]();
      await locks?.deleteOne({ _id: 'lock', holder });
    },
  };
}
