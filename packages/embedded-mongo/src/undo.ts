import type { SQLInputValue, StatementSync } from 'node:sqlite';

/** From so many steps on a savepoint keeps what is written: a part may change any number of documents. */
const mostSteps = 1_000;

/**
 * Takes back what a part of a transaction has written. SQLite's own way, a savepoint, copies each page before its first change, and
 * there are as many as there are indexes; most parts change one document and do not fail. So each change of a row is noted with the
 * statement that reverses it, and a savepoint is made only before what no statement reverses.
 */
export class Undo {
  readonly #prepare: (sql: string) => StatementSync;
  readonly #steps: { sql: string; values: readonly SQLInputValue[] }[] = [];
  #hasSavepoint = false;

  /** @param prepare gives the prepared statement of an SQL text */
  constructor(prepare: (sql: string) => StatementSync) {
    this.#prepare = prepare;
  }

  /** A row was changed, which this statement reverses. */
  note(sql: string, values: readonly SQLInputValue[]): void {
    if (this.#hasSavepoint) return;
    this.#steps.push({ sql, values });
    if (this.#steps.length >= mostSteps) this.guard();
  }

  /** What follows is kept by a savepoint: nothing has to be noted. */
  guard(): void {
    if (this.#hasSavepoint) return;
    this.#prepare('SAVEPOINT part').run();
    this.#hasSavepoint = true;
  }

  /** The part is done. */
  keep(): void {
    if (this.#hasSavepoint) this.#prepare('RELEASE part').run();
  }

  /** The part has failed. Everything of it is gone afterwards. @throws when SQLite cannot do that: then all of the transaction has to go */
  takeBack(): void {
    if (this.#hasSavepoint) for (const sql of ['ROLLBACK TO part', 'RELEASE part']) this.#prepare(sql).run();
    for (const { sql, values } of this.#steps.reverse()) this.#prepare(sql).run(...values);
  }
}
