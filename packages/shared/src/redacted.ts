/** Names of fields whose values are secret, whatever is in them. */
const names = [
  ...['authorization', 'proxy-authorization', 'cookie', 'set-cookie', 'password', 'current_password', 'new_password'],
  ...['token', 'access_token', 'refresh_token', 'id_token', 'secret', 'client_secret', 'secrets', 'jwt_secret'],
  ...['api_key', 'api-key', 'apikey', 'x-api-key', 'x-call-signature', 'private_key', 'encryption_key', 'credentials'],
];

// In JSON, and in JSON within its strings, where quotes have backslashes before them.
const named = new RegExp(
  `((\\\\{0,7})"(?:${names.join('|')})\\\\{0,7}":\\s{0,4})` +
    '(?:"(?:[^"\\\\]|\\\\.)*"|\\\\{1,7}"[^"\\\\]{0,4000}\\\\{1,7}"|\\[[^\\]]{0,4000}\\]|\\d+)',
  'gi',
);

// None of them takes more than linear time: no try begins within what another one looked through in vain.
const looks: readonly [RegExp, string][] = [
  // Who signs in by an address: amqp://user:password@host.
  [/(:\/\/)[^\s/@"\\:]{0,200}:[^\s/@"\\]{1,400}@/g, '$1[redacted]@'],
  // What is in the query of an address under the name of a secret.
  [/([?&](?:access_token|token|api_key|apikey|key|secret|signature|password)=)[^&\s"\\#]+/gi, '$1[redacted]'],
  [/\b(Bearer|Basic)\s{1,4}[\w.~+/=-]{8,}/gi, '$1 [redacted]'],
  // Tokens, keys and secrets of webhooks.
  [/(?<![\w-])eyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*/g, '[redacted]'],
  [/\b(?:whsec|ccp|sk-ant)[_-][\w+/=-]{8,}/g, '[redacted]'],
];

/** A line of a log without what is secret: by the names of fields at any depth, and by the looks of what is in texts. */
export function redacted(line: string): string {
  const unnamed = line.replace(
    named,
    (_found, name: string, slashes: string) => `${name}${slashes}"[redacted]${slashes}"`,
  );
  return looks.reduce((text, [pattern, instead]) => text.replace(pattern, instead), unnamed);
}
