import { ruledPrograms } from '../rules/rules.ts';
import { foreign, hasPattern, isKnown, matches } from '../shell/text.ts';
import { absolute } from './place.ts';
import { scriptPrograms } from './shells.ts';
import { wrapperPrograms } from './wrappers.ts';

/** Programs that something here is said about: a pattern in place of a name may mean any of them. */
const known = [...new Set([...ruledPrograms, ...scriptPrograms, ...wrapperPrograms])];

/**
 * Which program a name means: the last part of a path, except for a program of the caller's own, which may be called as it
 * likes. Empty when it is unknown.
 */
export function programOf(name: string): string {
  if (!isKnown(name)) return name.includes(foreign) ? foreign : '';
  const path = name.includes('/') ? absolute(name, '/.') : `/${name}`;
  const own = name.includes('/') && !name.startsWith('/') && !/(?:^|\/)\.\.\//.test(name);
  const last = path?.split('/').at(-1) ?? '';
  if (own) return '';
  return hasPattern(last) ? (known.find((each) => matches(last, each)) ?? '') : last;
}
