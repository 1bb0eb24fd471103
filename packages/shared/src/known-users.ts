import { UserServiceService } from '@claude-cli/proto/platform/v1/users';
import { LRUCache } from 'lru-cache';
import { invalidField } from './errors.ts';
import type { RpcChannel, RpcClient } from './grpc/client.ts';
import type { Origin } from './grpc/interceptor.ts';

/** Which users exist, asked of project-service. Accounts are never removed, so an answer that one exists stays true. */
export class KnownUsers {
  readonly #users: RpcClient<typeof UserServiceService>;
  readonly #asked = new LRUCache<string, Promise<boolean>>({ max: 10_000 });

  constructor(projectService: RpcChannel) {
    this.#users = projectService.client(UserServiceService);
  }

  /** @throws PlatformError VALIDATION_ERROR for the field when there is no such user */
  async require(userId: string, field: string, origin: Origin): Promise<void> {
    if (!(await this.#exists(userId, origin))) throw invalidField(field, 'there is no such user');
  }

  #exists(userId: string, { caller, requestId }: Origin): Promise<boolean> {
    const known = this.#asked.get(userId);
    if (known) return known;
    // Others may wait for the same answer, so it does not end with this caller's request.
    const asked = this.#users
      .getUserNames({ user_ids: [userId] }, { caller, requestId })
      .then(({ names }) => Object.hasOwn(names, userId));
    this.#asked.set(userId, asked);
    const forget = () => this.#asked.delete(userId);
    asked.then((exists) => exists || forget(), forget);
    return asked;
  }
}
