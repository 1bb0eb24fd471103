/**
 * Whether a webhook was sent by the platform and is unchanged: compares the header X-Signature-256 with the HMAC-SHA256 of the
 * body. Takes the same time for every wrong signature.
 * @param body exactly as it arrived: JSON that was parsed and written again has other bytes
 * @param signature value of the header; absent ones are wrong
 */
export async function verifyWebhookSignature(
  body: string | Uint8Array,
  signature: string | null | undefined,
  secret: string,
): Promise<boolean> {
  const encoder = new TextEncoder();
  const hex = /^sha256=([0-9a-f]{64})$/i.exec(signature ?? '')?.[1];
  if (!hex || secret === '') return false;
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('raw', encoder.encode(secret), algorithm, false, ['verify']);
  const claimed = Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
  const bytes = typeof body === 'string' ? encoder.encode(body) : new Uint8Array(body);
  // The comparison inside verify is of constant time.
  return crypto.subtle.verify('HMAC', key, claimed, bytes);
}
