import { lookup, Resolver } from 'node:dns/promises';
import { Recent } from '@claude-cli/shared/recent';
import { isLocalName } from './url-rule.ts';

/** The addresses of a name. @throws when there are none */
export type Resolve = (name: string) => Promise<string[]>;

/** How long a name server may take, in milliseconds, and how often it is asked. */
const patience = { timeout: 2_000, tries: 2 };
/** How long an answer is used, in milliseconds, and how many are kept. */
const remembered = { freshMs: 5_000, usableMs: 10_000, max: 1_000 };

/**
 * The addresses of names by DNS, asked without the system's resolver, which occupies one of few threads for each name and
 * so would let names that nobody answers delay all others.
 * @param hostsFile ask the system where DNS knows nothing: for names that only this machine, or its cluster, knows
 */
export function dnsResolve(hostsFile: boolean): Resolve {
  const resolver = new Resolver(patience);
  const recent = new Recent<string[]>(remembered);
  const ask = async (name: string): Promise<string[]> => {
    const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
    const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    if (addresses.length > 0) return addresses;
    if (hostsFile) return (await lookup(name, { all: true })).map(({ address }) => address);
    throw answers.find((answer) => answer.status === 'rejected')?.reason ?? new Error(`${name} has no address`);
  };
  return (name) => (isLocalName(name) ? Promise.resolve(['127.0.0.1', '::1']) : recent.get(name, () => ask(name)));
}
