import { isUnauthenticated } from './errors.ts';
import { Resources } from './gen/resources.ts';
import { Http, type HttpSettings } from './http.ts';
import { expiryOf, type TokenProvider, Tokens } from './tokens.ts';

/** Of an account. */
export interface Credentials {
  username: string;
  password: string;
}

/** Tokens by signing in, and by refreshing as long as the previous one is good. */
export function signIn(
  settings: Omit<HttpSettings, 'tokens' | 'sessionId'>,
  { username, password }: Credentials,
): TokenProvider {
  const authAs = (token?: string) =>
    new Resources(new Http({ ...settings, tokens: new Tokens(token), sessionId: undefined })).auth;
  let latest: string | undefined;
  return async () => {
    const previous = latest;
    // One that is refused is not tried twice.
    latest = undefined;
    latest = (await refreshed(previous)) ?? (await authAs().login({ username, password })).accessToken;
    return latest;
  };

  async function refreshed(token: string | undefined): Promise<string | undefined> {
    if (token === undefined || expiryOf(token) <= Date.now()) return undefined;
    try {
      return (await authAs(token).refresh()).accessToken;
    } catch (thrown) {
      if (isUnauthenticated(thrown)) return undefined;
      throw thrown;
    }
  }
}
