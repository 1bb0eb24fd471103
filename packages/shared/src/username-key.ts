/** How names of accounts are compared: `Admin` and `admin` are one account. */
export function usernameKey(username: string): string {
  return username.normalize('NFKC').toLowerCase();
}
