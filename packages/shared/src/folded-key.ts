/** How names and mail addresses of accounts are compared: `Admin` and `admin` are one account. */
export function foldedKey(text: string): string {
  return text.normalize('NFKC').toLowerCase();
}
