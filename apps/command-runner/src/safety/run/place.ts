import { anyCharacter, anyText, hasPattern, isKnown, matches } from '../shell/text.ts';

/** Where a command runs. */
export interface Place {
  /** Root of the workspace, without symbolic links. */
  root: string;
  /** Working directory. */
  directory: string;
  /** Home directory of the user that commands run as. */
  home: string;
  /** Process ids of the runner and of its helpers; the first is the parent of the command. */
  runnerPids: readonly number[];
  /** Variables that the caller adds. */
  environment: Readonly<Record<string, string>>;
}

/** What is at a path, as far as it matters to who would delete, move or give it away. */
export type Target = 'system' | 'home' | 'workspace' | 'parent' | 'other';

const list = (names: string) => names.split(' ');

/** Directories of the system: whatever is below them belongs to it. */
const systemTrees = list(
  '/bin /boot /dev /etc /lib /lib32 /lib64 /libx32 /nix /proc /run /sbin /snap /sys /usr /var /System /Library /Applications /private/etc /private/var',
);
/** Below them, anybody keeps files. */
const openTrees = list('/dev/shm /run/user /var/folders /var/tmp /var/www /private/var/folders /private/var/tmp');
/** Directories that many share: they themselves and all in them at once matter, a single thing in them does not. */
const sharedDirectories = list('/ /data /home /media /mnt /opt /private /root /srv /tmp /Users');

/** The absolute form of a path, without `.` and `..`. Undefined when it starts with what is unknown. */
export function absolute(path: string, directory: string): string | undefined {
  const joined = path.startsWith('/') ? path : `${directory}/${path}`;
  const start = joined.split('/', 2);
  if (path === '' || !start.every(isKnown) || !isKnown(path.split('/', 1)[0] ?? '')) return undefined;
  const segments: string[] = [];
  for (const segment of joined.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  return `/${segments.join('/')}`;
}

const segmentsOf = (path: string) => (path === '/' ? [''] : path.split('/'));

/** Whether a path is a directory, or something below it. */
export function isWithin(path: string, tree: string): boolean {
  const names = segmentsOf(path);
  return segmentsOf(tree).every((name, index) => fits(names[index], name));
}

/** Whether a path names a directory itself, or all that is in it. */
function isAllOf(path: string, directory: string): boolean {
  const rest = segmentsOf(path).slice(segmentsOf(directory).length);
  return isWithin(path, directory) && (rest.length === 0 || (rest.length === 1 && isEverything(rest[0] ?? '')));
}

function fits(name: string | undefined, wanted: string): boolean {
  return name !== undefined && (name === wanted || (hasPattern(name) && isKnown(name) && matches(name, wanted)));
}

/** A pattern that any name fits, or any hidden one. */
function isEverything(pattern: string): boolean {
  const rest = pattern.replaceAll(anyText, '').replaceAll(anyCharacter, '');
  return pattern.includes(anyText) && (rest === '' || rest === '.');
}

/** What is at a path. */
export function targetOf(path: string, directory: string, place: Place): Target {
  const resolved = absolute(path, directory);
  if (resolved === undefined) return 'other';
  const { root, home } = place;
  if (isAllOf(resolved, root)) return 'workspace';
  if (resolved.startsWith(`${root}/`)) return isAbove(resolved, place.directory) ? 'parent' : 'other';
  if (isAllOf(resolved, home)) return home === '/' ? 'system' : 'home';
  if (isSystem(resolved, place) || sharedDirectories.some((shared) => isAllOf(resolved, shared))) return 'system';
  if (isHomeOfSomebody(resolved)) return 'home';
  return isAbove(resolved, root) ? 'parent' : 'other';
}

/** Whether a path belongs to the system. */
export function isSystem(resolved: string, { root, home }: Place): boolean {
  const own = [root, ...(home === '/' ? [] : [home])];
  if (own.some((tree) => resolved.startsWith(`${tree}/`))) return false;
  if (openTrees.some((tree) => isWithin(resolved, tree) && !isAllOf(resolved, tree))) return false;
  return systemTrees.some((tree) => isWithin(resolved, tree));
}

function isHomeOfSomebody(resolved: string): boolean {
  const [, top = '', user, ...rest] = resolved.split('/');
  if (!user || !['home', 'Users'].includes(top)) return false;
  return rest.length === 0 || (rest.length === 1 && isEverything(rest[0] ?? ''));
}

/** Whether a path names a directory above another one, or all that is in it. */
function isAbove(path: string, directory: string): boolean {
  const names = segmentsOf(path);
  const above = isEverything(names.at(-1) ?? '') ? names.slice(0, -1) : names;
  const below = segmentsOf(directory);
  return above.length < below.length && above.every((name, index) => fits(name, below[index] ?? ''));
}
