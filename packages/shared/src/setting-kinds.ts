import { isIP } from 'node:net';
import { z } from 'zod';

/** A port; 0 takes a free one. */
export const port = z.coerce.number().int().min(0).max(65535);

/** A whole number from 1 on. */
export const positiveInt = z.coerce.number().int().min(1);

/** How many proxies there are, or which. */
export const proxies =
  /^(\d{1,2}|[\da-fA-F.:/]+|loopback|linklocal|uniquelocal)(\s*,\s*([\da-fA-F.:/]+|loopback|linklocal|uniquelocal))*$/;
const ipv4 = /\d{1,3}(?:\.\d{1,3}){3}:\d+/.source;

/** Where a service answers: host:port, or those of its replicas. */
export const address = z
  .string()
  .regex(
    new RegExp(`^(?:[^\\s,]+:\\d+|${ipv4}(?:,${ipv4})+)$`),
    'must be host:port, or IPv4 addresses with ports, comma-separated',
  );

/** A secret, and after commas older ones. */
export const secrets = z
  .string()
  .transform((text) => text.split(',').map((secret) => secret.trim()))
  .refine((all) => all.every((secret) => secret.length >= 32), 'each secret needs at least 32 characters');

/** Path of a file that may be absent. */
export const file = z.string().min(1).optional();

/** Origins of web pages, or all of them. */
export const origins = z
  .string()
  .transform((text) => (text.trim() === '*' ? ('*' as const) : text.split(',').map((part) => part.trim())))
  .refine(
    (all) =>
      all === '*' || all.every((part) => /^https?:/.test(part) && URL.canParse(part) && new URL(part).origin === part),
    'must be * or origins, such as https://app.example.com, without a path',
  );

/** Whether a text is an address and how many of its bits name the network. */
export function isNetwork(text: string): boolean {
  const [address = '', bits = '', more] = text.split('/');
  const most = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
  return more === undefined && /^\d{1,3}$/.test(bits) && Number(bits) <= most;
}
