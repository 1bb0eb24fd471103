// Starts processes by posix_spawn(3), which Node does not offer. Node forks: the kernel then copies the page tables of a whole
// Node, and both sides pay for each page that they touch afterwards. What is started here shares the memory of its parent
// until it is another program, so it costs a tenth for the parent, however much memory that has.
import { Socket } from 'node:net';
import { getSystemErrorName } from 'node:util';

/** @typedef {import('./node-spawn.mjs').Start} Start */
/** @typedef {import('./node-spawn.mjs').Hears['exited']} Exited */

/** <fcntl.h>, <spawn.h> and <sys/wait.h> of Linux; the flags of posix_spawn are the same in glibc and musl. */
const closeOnExec = 0o2000000;
const readOnly = 0;
const noHang = 1;
const spawnFlags = { setSignalDefaults: 0x04, setSignalMask: 0x08, setSession: 0x80 };
/** Bytes of what libc keeps its attributes, actions and sets of signals in: more than any of them needs. */
const opaqueBytes = 1_024;

/**
 * What of libc is needed.
 * @param {import('koffi').LibraryHandle} libc
 * @throws Error when it lacks one of them
 */
function bind(libc) {
  /** @param {string} definition */
  const func = (definition) => libc.func(definition);
  return {
    pipe: func('int pipe2(_Out_ int *ends, int flags)'),
    close: func('int close(int descriptor)'),
    fillSignals: func('int sigfillset(void *set)'),
    noSignals: func('int sigemptyset(void *set)'),
    beginAttributes: func('int posix_spawnattr_init(void *attributes)'),
    setFlags: func('int posix_spawnattr_setflags(void *attributes, short flags)'),
    setSignalDefaults: func('int posix_spawnattr_setsigdefault(void *attributes, const void *set)'),
    setSignalMask: func('int posix_spawnattr_setsigmask(void *attributes, const void *set)'),
    beginActions: func('int posix_spawn_file_actions_init(void *actions)'),
    endActions: func('int posix_spawn_file_actions_destroy(void *actions)'),
    addOpen: func('int posix_spawn_file_actions_addopen(void *actions, int fd, const char *path, int flags, int mode)'),
    addDuplicate: func('int posix_spawn_file_actions_adddup2(void *actions, int from, int to)'),
    addDirectory: func('int posix_spawn_file_actions_addchdir_np(void *actions, const char *path)'),
    spawn: func(
      'int posix_spawn(_Out_ int *pid, const char *path, const void *actions, const void *attributes, const char **argv, const char **envp)',
    ),
    wait: func('int wait4(int pid, _Out_ int *status, int options, void *usage)'),
  };
}

/**
 * Undefined where this system cannot: then processes are to be started by Node.
 * @returns {Promise<Start | undefined>}
 */
export async function posixSpawn() {
  // Elsewhere the numbers above are others.
  if (process.platform !== 'linux') return undefined;
  try {
    const { default: koffi } = await import('koffi');
    return startBy(bind(koffi.load(null)), () => koffi.errno());
  } catch (error) {
    // Commands run all the same, but each costs more, which an operator should know.
    process.stderr.write(`processes are started by Node, since libc cannot be called: ${error}\n`);
    return undefined;
  }
}

/**
 * @param {ReturnType<typeof bind>} libc
 * @param {() => number} lastError
 * @returns {Start}
 */
function startBy(libc, lastError) {
  const attributes = attributesOf(libc);
  /** @type {Map<number, Exited>} */
  const running = new Map();
  // Several that end at once may be told by one signal.
  process.on('SIGCHLD', () => {
    for (const [pid, exited] of running) {
      const status = [0];
      if (libc.wait(pid, status, noHang, null) !== pid) continue;
      running.delete(pid);
      tellExit(status[0] ?? 0, exited);
    }
  });

  return ({ file, args, cwd, env, times }, { exited }) => {
    const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    refuseNul([file, cwd, ...args, ...variables]);
    const actions = Buffer.alloc(opaqueBytes);
    check(libc.beginActions(actions));
    /** @type {[number, number][]} */
    const pipes = [];
    try {
      check(libc.addDirectory(actions, cwd));
      check(libc.addOpen(actions, 0, '/dev/null', readOnly, 0));
      for (const descriptor of times ? [1, 2, 3] : [1, 2]) {
        /** @type {[number, number]} */
        const ends = [0, 0];
        if (libc.pipe(ends, closeOnExec) !== 0) throw systemError(lastError());
        pipes.push(ends);
        check(libc.addDuplicate(actions, ends[1], descriptor));
      }
      const pid = [0];
      check(libc.spawn(pid, file, actions, attributes, [file, ...args, null], [...variables, null]));
      running.set(Number(pid[0]), exited);
      const sockets = pipes.splice(0).map(([readEnd, writeEnd]) => {
        libc.close(writeEnd);
        return new Socket({ fd: readEnd, readable: true, writable: false });
      });
      return { pid: Number(pid[0]), pipes: sockets };
    } finally {
      libc.endActions(actions);
      for (const end of pipes.flat()) libc.close(end);
    }
  };
}

/** In a session of its own, with no signal blocked or ignored. @param {ReturnType<typeof bind>} libc */
function attributesOf(libc) {
  const [attributes, signals] = [Buffer.alloc(opaqueBytes), Buffer.alloc(opaqueBytes)];
  check(libc.beginAttributes(attributes));
  libc.fillSignals(signals);
  check(libc.setSignalDefaults(attributes, signals));
  libc.noSignals(signals);
  check(libc.setSignalMask(attributes, signals));
  const { setSignalDefaults, setSignalMask, setSession } = spawnFlags;
  check(libc.setFlags(attributes, setSignalDefaults | setSignalMask | setSession));
  return attributes;
}

/** @param {number} status as wait4 tells it @param {Exited} exited */
function tellExit(status, exited) {
  const signal = status & 0x7f;
  if (signal === 0) exited((status >> 8) & 0xff, null);
  else exited(null, signal);
}

/** A text ends at its first NUL for libc: half a command must not be run. @param {string[]} texts */
function refuseNul(texts) {
  if (!texts.some((text) => text.includes('\0'))) return;
  throw Object.assign(new Error('a text holds a NUL'), { code: 'ERR_INVALID_ARG_VALUE' });
}

/** @param {number} errno 0 when all is well */
function check(errno) {
  if (errno !== 0) throw systemError(errno);
}

/** @param {number} errno */
function systemError(errno) {
  const code = getSystemErrorName(-errno);
  return Object.assign(new Error(code), { code });
}
