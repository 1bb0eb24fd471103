/** How long the agent may be silent, in milliseconds. */
export interface Patience {
  /** While it works. */
  silenceMs: number;
  /** After it has said how it went: then only its exit is missing. */
  exitMs: number;
}

/** Why the agent is ended: it fell silent at its work, or stayed after its result. */
export type Lapse = 'silent' | 'lingering';

/**
 * Watches for the two ways in which the CLI is known to hang: its stream stops in the middle, or the process stays although
 * its result is out. Acts once.
 */
export class Watchdog {
  /** What it has seen, if it had to act. */
  lapse: Lapse | undefined;
  readonly #patience: Patience;
  readonly #act: () => void;
  #hasResult = false;
  #timer: NodeJS.Timeout | undefined;

  /** Watch from now on, until stopped. */
  constructor(patience: Patience, act: () => void) {
    this.#patience = patience;
    this.#act = act;
    this.#watch();
  }

  /** The stream gave a sign of life. */
  signOfLife(): void {
    this.#timer?.refresh();
  }

  /** The agent has said how it went. */
  resultCame(): void {
    if (this.#hasResult || this.lapse) return;
    this.#hasResult = true;
    this.#watch();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #watch(): void {
    const { silenceMs, exitMs } = this.#patience;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#lapsed(), this.#hasResult ? exitMs : silenceMs);
  }

  #lapsed(): void {
    this.stop();
    this.lapse = this.#hasResult ? 'lingering' : 'silent';
    this.#act();
  }
}
