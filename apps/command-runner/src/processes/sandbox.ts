import { existsSync, lstatSync, readlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Program } from './shell.ts';

/** Size of each of the private /tmp and /dev/shm, which are held in memory, in bytes. */
const scratchBytes = 268_435_456;

/** What programs are made of. */
const systemDirectories = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'];

/** What programs need of /etc: none of it is secret. */
const etc = [
  ...['alternatives', 'ld.so.cache', 'ld.so.conf', 'ld.so.conf.d', 'passwd', 'group', 'os-release', 'debian_version'],
  ...['nsswitch.conf', 'hosts', 'resolv.conf', 'host.conf', 'gai.conf', 'services', 'protocols', 'mime.types', 'magic'],
  ...['ssl/certs', 'ssl/openssl.cnf', 'ca-certificates', 'ca-certificates.conf', 'pki/tls/certs', 'pki/ca-trust'],
  ...['localtime', 'timezone', 'locale.alias', 'terminfo', 'inputrc', 'bash.bashrc', 'fonts', 'perl', 'python3'],
];

/**
 * Runs "$@" and writes its times, in the words of `times`, to descriptor 3, where the service reads them: bubblewrap ends
 * without waiting for what is inside, so the kernel does not count it for us. A signal to the group is for the program, which
 * is waited for.
 */
const timed = 'trap : TERM; "$@" 3>&-; code=$?; times >&3; exit $code';

/** Processor time of the children in what `times` wrote, in seconds; undefined when it is not that. */
export function readTimes(text: string): number | undefined {
  const [, minutes, seconds, systemMinutes, systemSeconds] = /^.*\n(\d+)m([\d.]+)s (\d+)m([\d.]+)s\n$/.exec(text) ?? [];
  if (systemSeconds === undefined) return undefined;
  return (Number(minutes) + Number(systemMinutes)) * 60 + Number(seconds) + Number(systemSeconds);
}

/** What is different from run to run. */
export interface SandboxRun {
  /** The only directory that outlives the run and may be written to. */
  directory: string;
  network: boolean;
}

/** Runs programs by bubblewrap, in namespaces of their own. */
export class Sandbox {
  readonly #bwrap: string;
  readonly #fixed: string[];

  /** @param bwrap path of bubblewrap @param readPaths more paths that programs may read */
  constructor(bwrap: string, readPaths: readonly string[]) {
    this.#bwrap = bwrap;
    this.#fixed = fixedOptions(readPaths);
  }

  /** The program inside the sandbox. */
  wrap({ file, args }: Program, { directory, network }: SandboxRun): Program {
    const own = ['--bind', directory, directory, '--remount-ro', '/', '--chdir', directory];
    return {
      file: this.#bwrap,
      args: [
        ...this.#fixed,
        ...(network ? [] : ['--unshare-net']),
        ...own,
        '--',
        '/bin/sh',
        '-c',
        timed,
        'sh',
        file,
        ...args,
      ],
    };
  }
}

function fixedOptions(readPaths: readonly string[]): string[] {
  const options = [
    ...[
      '--unshare-user',
      '--unshare-ipc',
      '--unshare-pid',
      '--unshare-uts',
      '--unshare-cgroup-try',
      '--cap-drop',
      'ALL',
    ],
    // The session makes everything inside one process group, to which signals are sent.
    ...['--hostname', 'sandbox', '--die-with-parent', '--new-session', '--ro-bind', '/usr', '/usr'],
  ];
  for (const name of systemDirectories) options.push(...systemDirectory(`/${name}`));
  for (const name of etc) {
    if (existsSync(`/etc/${name}`)) options.push('--ro-bind', `/etc/${name}`, `/etc/${name}`);
  }
  const scratch = (path: string) => ['--perms', '1777', '--size', String(scratchBytes), '--tmpfs', path];
  options.push('--proc', '/proc', '--dev', '/dev', ...scratch('/dev/shm'), '--remount-ro', '/dev', ...scratch('/tmp'));
  options.push('--dir', '/run', '--symlink', '../tmp', '/var/tmp');
  const platform = fileURLToPath(new URL('../../../..', import.meta.url)).replace(/\/$/, '');
  if (platform.startsWith('/usr/')) options.push('--perms', '0755', '--tmpfs', platform);
  for (const path of readPaths) options.push('--ro-bind', path, path);
  return options;
}

function systemDirectory(path: string): string[] {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return [];
  return found.isSymbolicLink() ? ['--symlink', readlinkSync(path), path] : ['--ro-bind', path, path];
}
