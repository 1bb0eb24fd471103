/** Gives a token: at the start, shortly before the previous one expires, and after one was refused. */
export type TokenProvider = () => string | Promise<string>;

/** How long before its expiry a token is replaced, in milliseconds; at most a fifth of what it had left when it came. */
const leewayMs = 60_000;

/** The token that calls are made with. Asked for once, however many calls wait for it. */
export class Tokens {
  readonly #provide: TokenProvider | undefined;
  #token: string | undefined;
  #renewAt = Number.POSITIVE_INFINITY;
  #pending: Promise<string> | undefined;

  /** @param source a token that is used until it fails, or where to get tokens; undefined for none */
  constructor(source: string | TokenProvider | undefined) {
    if (typeof source === 'string') this.#token = source;
    else this.#provide = source;
  }

  /** Whether there can be another token than the present one. */
  get renewable(): boolean {
    return this.#provide !== undefined;
  }

  /** When the present token is to be replaced, in milliseconds since the epoch; infinite when it is not known to expire. */
  get renewAt(): number {
    return this.#renewAt;
  }

  /** The token to use now. */
  async current(): Promise<string | undefined> {
    if (!this.#provide) return this.#token;
    if (this.#token !== undefined && Date.now() < this.#renewAt) return this.#token;
    return this.#renew(this.#provide);
  }

  /** Another token, since this one was refused; undefined when there is none. */
  async instead(refused: string | undefined): Promise<string | undefined> {
    if (!this.#provide) return undefined;
    // Somebody else was refused, too, and has renewed it meanwhile.
    if (this.#token !== undefined && this.#token !== refused) return this.#token;
    return this.#renew(this.#provide);
  }

  #renew(provide: TokenProvider): Promise<string> {
    this.#pending ??= (async () => {
      try {
        const token = await provide();
        const expiresAt = expiryOf(token);
        const left = expiresAt - Date.now();
        this.#token = token;
        this.#renewAt = expiresAt - Math.max(0, Math.min(leewayMs, left / 5));
        return token;
      } finally {
        this.#pending = undefined;
      }
    })();
    return this.#pending;
  }
}

/** When a JWT expires, in milliseconds since the epoch; infinite for other tokens. */
export function expiryOf(token: string): number {
  try {
    const payload = String(token.split('.')[1]).replaceAll('-', '+').replaceAll('_', '/');
    const { exp } = JSON.parse(atob(payload)) as { exp?: unknown };
    return typeof exp === 'number' ? exp * 1000 : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
