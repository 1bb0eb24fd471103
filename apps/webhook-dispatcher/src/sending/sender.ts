import { Agent, type buildConnector } from 'undici';
import { Exchange } from './exchange.ts';
import type { Limits } from './limits.ts';
import type { Outcome } from './outcome.ts';
import { refusalOf, type UrlRules } from './url-rule.ts';

/** What is posted. */
export interface Post {
  url: string;
  headers: Record<string, string>;
  body: string;
}

/** Where a URL leads, or why nothing is sent there. */
type Target = { origin: string; path: string; refusal?: undefined } | { refusal: string };

/** URLs whose target is kept, so that it is not worked out for each post. */
const targetsKept = 2_000;

/** Posts to receivers. Connections are kept for a while, by origin; no proxy is used, no redirect followed. */
export class Sender implements AsyncDisposable {
  readonly #agent: Agent;
  readonly #rules: UrlRules;
  readonly #limits: Limits;
  readonly #open = new Set<Exchange>();
  readonly #targets = new Map<string, Target>();

  constructor(connect: buildConnector.connector, rules: UrlRules, limits: Limits) {
    // Each exchange has one timer for everything, so the agent needs none of its own.
    this.#agent = new Agent({ connect, headersTimeout: 0, bodyTimeout: 0, maxHeaderSize: 16_384, allowH2: false });
    this.#rules = rules;
    this.#limits = limits;
  }

  /** Post, and wait for the answer within the time that an attempt may take. Never rejects. */
  async post({ url, headers, body }: Post): Promise<Outcome> {
    const target = this.#targetOf(url);
    if (target.refusal !== undefined) {
      const error = `the URL ${target.refusal}`;
      return { duration_ms: 0, status_code: null, fault: 'refused', error, response: '', retryAfterMs: null };
    }
    const { origin, path } = target;
    const exchange = new Exchange(this.#limits);
    this.#open.add(exchange);
    try {
      this.#agent.dispatch({ origin, path, method: 'POST', headers, body }, exchange);
      return await exchange.outcome;
    } catch (error) {
      exchange.onResponseError(undefined, error as Error);
      return await exchange.outcome;
    } finally {
      this.#open.delete(exchange);
    }
  }

  #targetOf(url: string): Target {
    const known = this.#targets.get(url);
    if (known) return known;
    const target = targetOf(url, this.#rules);
    if (this.#targets.size >= targetsKept) this.#targets.clear();
    this.#targets.set(url, target);
    return target;
  }

  /** End what is under way; its outcomes are of the fault `stopped`. */
  stop(): void {
    for (const exchange of this.#open) exchange.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    await this.#agent.destroy();
  }
}

function targetOf(text: string, rules: UrlRules): Target {
  const refusal = refusalOf(text, rules);
  if (refusal !== undefined) return { refusal };
  const { origin, pathname, search } = new URL(text);
  return { origin, path: pathname + search };
}
