import { randomBytes } from 'node:crypto';
import type { ApiClient } from '../../scripts/api-client.ts';
import type { TestPlatform } from './platform.ts';

/** An account of a test. */
export interface TestUser {
  id: string;
  username: string;
  password: string;
  /** Signed in. */
  api: ApiClient;
}

/** A new account, signed in. @param given fields of the account besides name and password */
export async function createUser(
  { admin, visitor }: Pick<TestPlatform, 'admin' | 'visitor'>,
  role: 'admin' | 'developer' | 'viewer' = 'developer',
  given: Record<string, unknown> = {},
): Promise<TestUser> {
  const username = `${role}-${randomBytes(5).toString('hex')}`;
  const password = randomBytes(12).toString('base64url');
  const account = { username, password, email: `${username}@example.com`, role, ...given };
  const { id } = await admin.call<{ id: string }>('POST', '/api/users/', account);
  return { id, username, password, api: await signIn(visitor, username, password) };
}

/** The door as somebody who signs in. */
export async function signIn(visitor: ApiClient, username: string, password: string): Promise<ApiClient> {
  const { access_token } = await visitor.call<{ access_token: string }>('POST', '/api/auth/login', {
    username,
    password,
  });
  return visitor.as(access_token);
}

/** Status and code of an answer. */
export function outcomeOf({ status, body }: Awaited<ReturnType<ApiClient['request']>>): [number, string | undefined] {
  return [status, body.error?.code];
}
