import type { CallerName } from './people.ts';

/** What somebody is answered: success, or one of the refusals. */
export const outcomes = {
  ok: 'success',
  missing: [401, 'AUTH_TOKEN_MISSING'],
  lacks: [403, 'AUTH_INSUFFICIENT_PERMISSIONS'],
  denied: [403, 'PROJECT_ACCESS_DENIED'],
  hidden: [404, 'RESOURCE_NOT_FOUND'],
} as const;

/** Name of one of {@link outcomes}. */
export type OutcomeName = keyof typeof outcomes;

type Policy = Record<CallerName, OutcomeName>;

const everybody: Policy = {
  anonymous: 'ok',
  viewer: 'ok',
  outsider: 'ok',
  reader: 'ok',
  editor: 'ok',
  owner: 'ok',
  limited: 'ok',
  key: 'ok',
  admin: 'ok',
};
const signedIn: Policy = { ...everybody, anonymous: 'missing' };
const writers: Policy = { ...signedIn, viewer: 'lacks', limited: 'lacks', key: 'lacks' };
const inProject: Policy = { ...signedIn, viewer: 'denied', outsider: 'denied' };
const ownersRead: Policy = { ...inProject, reader: 'denied', editor: 'denied', limited: 'denied' };
const editors: Policy = { ...writers, outsider: 'denied', reader: 'denied' };
const own = (nobodyElse: Policy, hidden: OutcomeName): Policy => ({
  ...nobodyElse,
  viewer: nobodyElse.viewer === 'lacks' ? 'lacks' : hidden,
  limited: nobodyElse.limited === 'lacks' ? 'lacks' : hidden,
  outsider: hidden,
  reader: hidden,
  editor: hidden,
});

/** Who is answered what. */
export const policies = {
  /** Whoever comes. */
  everybody,
  /** Whoever has signed in, about the own account or what is nobody's. */
  signedIn,
  /** The same, but no program: with the token of a sign-in alone. */
  people: { ...signedIn, key: 'lacks' },
  /** Accounts that may write or execute, outside of projects. */
  writers,
  admins: {
    ...signedIn,
    viewer: 'lacks',
    outsider: 'lacks',
    reader: 'lacks',
    editor: 'lacks',
    owner: 'lacks',
    limited: 'lacks',
    key: 'lacks',
  },
  /** Whoever has a part in the project. */
  inProject,
  /** Editors and owners of the project whose account may write. */
  editors,
  /** Readers of the project whose account may write elsewhere. */
  copiers: { ...writers, outsider: 'denied' },
  owners: { ...editors, editor: 'denied' },
  ownersRead,
  /** Whose it is, and admins; to all others it is not there. */
  ownRead: own(signedIn, 'hidden'),
  ownWrite: own(writers, 'hidden'),
  /** Whose it is, and nobody else. */
  private: { ...own(signedIn, 'hidden'), admin: 'hidden' },
} as const satisfies Record<string, Policy>;

/** Name of one of {@link policies}. */
export type PolicyName = keyof typeof policies;
