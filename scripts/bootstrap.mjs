// Usage: node scripts/bootstrap.mjs <script.ts> [arguments]
// Runs a script of ours by the Node that the lock file pins, after installing what is missing. Free of dependencies and
// plain JavaScript, because it has to run on a fresh checkout with whatever Node (20 or later) the machine has.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, 'node_modules');
const stampFile = join(modules, '.bootstrap-stamp');
const lockFile = join(root, '.data', 'install.lock');
const installTimeoutMs = 15 * 60_000;

class Refusal extends Error {}

async function main() {
  const [script, ...args] = process.argv.slice(2);
  if (!script) throw new Refusal('Usage: node scripts/bootstrap.mjs <script.ts> [arguments]');
  if (Number(process.versions.node.split('.')[0]) < 20) {
    throw new Refusal(
      `Node ${process.versions.node} is too old to start from: install Node 20 or later (24 is the one used).`,
    );
  }
  if (!isInstalled()) await withInstallLock(async () => isInstalled() || (await install()));
  run(join(modules, '.bin', 'node'), [join(root, script), ...args]);
}

/** Whether node_modules holds what the lock file says. The stamp is the quick answer, npm's own record the thorough one. */
function isInstalled() {
  if (!existsSync(join(modules, '.bin', 'node'))) return false;
  const stamp = expectedStamp();
  if (readOr(stampFile) === stamp) return true;
  if (!matchesLockFile()) return false;
  writeFileSync(stampFile, stamp);
  return true;
}

function expectedStamp() {
  const hash = createHash('sha256');
  for (const file of ['package-lock.json', 'package.json', ...workspaceManifests()])
    hash.update(readOr(join(root, file)) ?? '');
  return hash.digest('hex');
}

function workspaceManifests() {
  const patterns = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).workspaces ?? [];
  return patterns.flatMap((pattern) => {
    if (!pattern.endsWith('/*')) return [join(pattern, 'package.json')];
    const parent = pattern.slice(0, -2);
    if (!existsSync(join(root, parent))) return [];
    return readdirSync(join(root, parent))
      .sort()
      .map((name) => join(parent, name, 'package.json'));
  });
}

function matchesLockFile() {
  const wanted = parseOr(readOr(join(root, 'package-lock.json')))?.packages;
  const present = parseOr(readOr(join(modules, '.package-lock.json')))?.packages;
  if (!wanted || !present) return false;
  return Object.entries(wanted).every(([path, entry]) => {
    if (!path.startsWith('node_modules/') && !path.includes('/node_modules/')) return true;
    const found = present[path];
    if (!found) return Boolean(entry.optional || entry.peer || entry.devOptional);
    return found.version === entry.version && found.integrity === entry.integrity && found.link === entry.link;
  });
}

/** One start installs, others wait for it: npm empties node_modules first. */
async function withInstallLock(work) {
  mkdirOrRefuse(dirname(lockFile));
  const mine = `${lockFile}.${process.pid}`;
  writeFileSync(mine, String(process.pid));
  try {
    const deadline = Date.now() + installTimeoutMs;
    let told = false;
    while (!tryLink(mine, lockFile)) {
      const owner = Number(readOr(lockFile));
      if (owner > 0 && !isAlive(owner)) rmSync(lockFile, { force: true });
      else if (Date.now() > deadline)
        throw new Refusal(`Another start is still installing: wait for it, or delete ${lockFile}.`);
      if (!told && owner > 0 && isAlive(owner)) {
        console.error(`Waiting for process ${owner}, which installs the dependencies`);
        told = true;
      }
      await delay(100);
    }
    process.on('exit', () => rmSync(lockFile, { force: true }));
    await work();
  } finally {
    rmSync(mine, { force: true });
    if (Number(readOr(lockFile)) === process.pid) rmSync(lockFile, { force: true });
  }
}

function mkdirOrRefuse(dir) {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
  } catch {
    throw new Refusal(`Cannot write to ${root}: make it writable for the user who runs this.`);
  }
}

function tryLink(from, to) {
  try {
    linkSync(from, to);
    return true;
  } catch (cause) {
    if (cause.code === 'EEXIST') return false;
    throw cause;
  }
}

async function install() {
  const started = Date.now();
  const stop = showProgress('Installing dependencies');
  let { code, output } = await npm('ci');
  // A lock file that was written where the registry lacks packages for other platforms does not name them, and npm ci wants
  // them named. npm install adds what this platform needs, at the versions that the packages pin, and is told to save nothing.
  if (code !== 0 && !interruptedBy && /EUSAGE/.test(output)) ({ code, output } = await npm('install', '--no-save'));
  stop();
  if (code !== 0) throw new Refusal(explain(code, output));
  writeFileSync(stampFile, expectedStamp());
  console.error(`Installed dependencies in ${Math.round((Date.now() - started) / 1000)} s`);
}

function npm(...command) {
  const { promise, resolve } = withResolvers();
  // Level error hides the warnings about the engine of the Node that we start from and about install scripts.
  const args = [...command, '--loglevel=error', '--no-audit', '--no-fund', '--no-update-notifier'];
  const child = spawn('npm', args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  forwardSignals(child);
  child.on('error', (cause) => resolve({ code: cause.code, output: cause.message }));
  child.on('close', (code, signal) => resolve({ code: signal ? exitCodeOf(signal) : code, output }));
  return promise;
}

function explain(code, output) {
  const detail = output.trim() ? `\n\n${output.trim()}` : '';
  if (code === 'ENOENT')
    return 'npm was not found: install Node 24 together with npm (https://nodejs.org), then start again.';
  if (interruptedBy) return 'Installing the dependencies was interrupted: start again.';
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH/.test(output)) {
    return `The npm registry could not be reached: connect to the network, or configure a registry or proxy (npm config set registry <url>), then start again.${detail}`;
  }
  if (/EACCES|EPERM|EROFS/.test(output)) {
    return `npm may not write to ${modules}: make ${root} and npm's cache writable for the user who runs this, then start again.${detail}`;
  }
  if (/ENOSPC/.test(output)) return `The disk is full: free some space, then start again.${detail}`;
  return `npm failed (exit code ${code}): mend what it names, then start again.${detail}`;
}

/** On a terminal, a line that counts seconds; elsewhere, one line now and one every 15 s, so that a log shows life. */
function showProgress(text) {
  const started = Date.now();
  const seconds = () => Math.round((Date.now() - started) / 1000);
  const live = process.stderr.isTTY;
  process.stderr.write(live ? text : `${text}\n`);
  const timer = setInterval(
    () => process.stderr.write(live ? `\r${text} ${seconds()} s` : `${text}: ${seconds()} s so far\n`),
    live ? 1000 : 15_000,
  );
  return () => {
    clearInterval(timer);
    if (live) process.stderr.write('\r\x1b[K');
  };
}

function run(program, args) {
  // The channel tells the script when we are killed: it stops what it started.
  const child = spawn(program, args, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
  forwardSignals(child);
  child.on('error', (cause) =>
    fail(new Refusal(`Cannot run ${program} (${cause.message}): delete node_modules, then start again.`)),
  );
  child.on('exit', (code, signal) => process.exit(signal ? exitCodeOf(signal) : code));
}

let interruptedBy;

function forwardSignals(child) {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    const forward = () => {
      interruptedBy = signal;
      child.kill(signal);
    };
    process.on(signal, forward);
    child.once('exit', () => process.off(signal, forward));
  }
}

function exitCodeOf(signal) {
  return 128 + (constants.signals[signal] ?? 0);
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return cause.code === 'EPERM';
  }
}

function readOr(file, fallback = undefined) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return fallback;
  }
}

function parseOr(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function fail(failure) {
  console.error(failure instanceof Refusal ? failure.message : failure);
  process.exit(1);
}

// Node 20 lacks Promise.withResolvers.
function withResolvers() {
  let resolve;
  const promise = new Promise((accept) => {
    resolve = accept;
  });
  return { promise, resolve };
}

main().catch(fail);
