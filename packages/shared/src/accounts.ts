import { createHash } from 'node:crypto';
import { type AccountState, AuthServiceService } from '@claude-cli/proto/platform/v1/auth';
import type { User_Tier } from '@claude-cli/proto/platform/v1/users';
import { LRUCache } from 'lru-cache';
import { anonymous, type Caller, type Credential, permissionsOf, type Role } from './caller.ts';
import { PlatformError } from './errors.ts';
import type { RpcChannel, RpcClient } from './grpc/client.ts';
import type { TokenClaims } from './tokens.ts';

/** How long the state of an account is used without asking again, in milliseconds: within so long a revocation holds everywhere. */
const freshMs = 2_000;
/** How long it may be used while project-service cannot be reached, in milliseconds. */
const insuranceMs = 300_000;
/** Longest wait for project-service, in milliseconds; longer than its restart is waited out by repetitions. */
const deadlineMs = 1_500;

/** Who comes in, and how much is asked of the platform at most. */
export interface Identity {
  caller: Caller;
  tier: User_Tier;
}

/** Whom tokens and API keys stand for, by what project-service says of their accounts now. */
export class Accounts {
  readonly #auth: RpcClient<typeof AuthServiceService>;
  readonly #users = new Remembered<AccountState>();
  readonly #keys = new Remembered<Identity>();

  constructor(projectService: RpcChannel) {
    this.#auth = projectService.client(AuthServiceService);
  }

  /**
   * Whom a token stands for whose signature was verified.
   * @throws PlatformError AUTH_TOKEN_INVALID when it is revoked or its account is gone, AUTH_ACCOUNT_DISABLED,
   * SERVICE_UNAVAILABLE or UPSTREAM_ERROR when that cannot be known
   */
  async ofToken({ sub, jti, ver = 0, exp }: TokenClaims, requestId: string): Promise<Identity> {
    const credential = { kind: 'token', id: jti, expires_at: exp, token_version: ver } as const;
    const { role, tier } = await this.#admitting(sub, credential, requestId);
    return { caller: { user_id: sub, role, permissions: permissionsOf[role], credential }, tier };
  }

  /**
   * The role that somebody who was let in has now. An API key that was deleted meanwhile is not noticed here.
   * @throws PlatformError as {@link ofToken}
   */
  async roleOf({ user_id, credential }: Caller, requestId: string): Promise<Role> {
    return (await this.#admitting(user_id, credential, requestId)).role;
  }

  /** Whom an API key stands for. @param address where it is used @throws PlatformError as {@link ofToken} */
  async ofApiKey(key: string, requestId: string, address?: string): Promise<Identity> {
    const digest = createHash('sha256').update(key).digest('base64');
    const identity = await this.#keys.get(digest, () => this.#askKey(key, requestId, address));
    const { expires_at } = identity.caller.credential ?? {};
    if (expires_at !== undefined && expires_at * 1000 <= Date.now()) {
      throw new PlatformError('AUTH_TOKEN_INVALID', 'The API key has expired');
    }
    return identity;
  }

  /** Ask again about a user and the user's API keys: something was changed that this process knows of. */
  forget(userId: string): void {
    this.#users.forget((key) => key === userId);
    this.#keys.forget((_key, { caller }) => caller.user_id === userId);
  }

  /** The account, if it is enabled and has not revoked the credential. */
  async #admitting(user_id: string, credential: Credential | undefined, requestId: string): Promise<AccountState> {
    const ask = () => this.#auth.checkUser({ user_id }, { caller: anonymous, requestId }, { deadlineMs });
    const account = await this.#users.get(user_id, ask);
    requireEnabled(account);
    if (credential?.kind !== 'token') return account;
    if (account.token_version !== credential.token_version || account.revoked_token_ids.includes(credential.id)) {
      throw new PlatformError('AUTH_TOKEN_INVALID', 'The token was revoked');
    }
    return account;
  }

  async #askKey(key: string, requestId: string, address: string | undefined): Promise<Identity> {
    const caller = address === undefined ? anonymous : { ...anonymous, address };
    const state = await this.#auth.checkApiKey({ key }, { caller, requestId }, { deadlineMs });
    const { account, key_id: id, user_id, scopes, expires_at } = state;
    if (!account) throw new PlatformError('AUTH_TOKEN_INVALID', 'The account of this API key does not exist');
    requireEnabled(account);
    const { role, tier } = account;
    const permissions = permissionsOf[role].filter((permission) => scopes.includes(permission));
    const expiry = expires_at === undefined ? {} : { expires_at: Math.floor(Date.parse(expires_at) / 1000) };
    return { caller: { user_id, role, permissions, credential: { kind: 'api_key', id, ...expiry } }, tier };
  }
}

function requireEnabled({ disabled }: AccountState): void {
  if (disabled) throw new PlatformError('AUTH_ACCOUNT_DISABLED', 'The account is disabled');
}

/** Answers that are asked for once per {@link freshMs} and key, and outlive an outage of who answers. */
class Remembered<Value> {
  readonly #known = new LRUCache<string, { value: Value; askedAt: number; confirmedAt: number }>({ max: 10_000 });
  readonly #asking = new Map<string, Promise<Value>>();
  /** Counts the times that something was forgotten. */
  #epoch = 0;

  async get(key: string, ask: () => Promise<Value>): Promise<Value> {
    const known = this.#known.get(key);
    if (known && performance.now() - known.askedAt < freshMs) return known.value;
    const asking = this.#asking.get(key) ?? this.#ask(key, ask);
    this.#asking.set(key, asking);
    return asking;
  }

  /** Forget what meets a condition. Answers that are under way were perhaps given before: they are not kept. */
  forget(isMeant: (key: string, value: Value) => boolean): void {
    for (const [key, { value }] of this.#known.entries()) if (isMeant(key, value)) this.#known.delete(key);
    this.#asking.clear();
    this.#epoch++;
  }

  async #ask(key: string, ask: () => Promise<Value>): Promise<Value> {
    const now = performance.now();
    const epoch = this.#epoch;
    try {
      const value = await ask();
      if (epoch === this.#epoch) this.#known.set(key, { value, askedAt: now, confirmedAt: now });
      return value;
    } catch (thrown) {
      const { code } = PlatformError.from(thrown);
      const known = this.#known.get(key);
      const unreachable = code === 'SERVICE_UNAVAILABLE' || code === 'UPSTREAM_ERROR';
      if (!unreachable || !known || now - known.confirmedAt > insuranceMs) {
        this.#known.delete(key);
        throw thrown;
      }
      // Whoever asks next does not wait for the outage again.
      this.#known.set(key, { ...known, askedAt: performance.now() });
      return known.value;
    } finally {
      if (epoch === this.#epoch) this.#asking.delete(key);
    }
  }
}
