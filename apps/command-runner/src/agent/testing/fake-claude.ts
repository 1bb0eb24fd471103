import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';

// Stands in for the Claude CLI: plays a stream of testing/streams. The prompt says which one, and how:
//
//   "success"              the stream success.jsonl
//   "success chunk=3"      the same, torn into pieces of three bytes
//   "success args"         writes the arguments to stderr first, as JSON
//
// Lines of a stream that begin with #! are orders: sleep <ms>, stderr <text>, raw <base64>, repeat <n> <text>, exit <code>,
// hang (deaf to SIGTERM), stay (until a signal). To go on with the conversation "gone" fails as the CLI does.

const [, , ...args] = process.argv;
const prompt = args[args.indexOf('-p') + 1] ?? '';
const [name = '', ...ways] = prompt.split(/\s+/);
const chunk = Number(ways.find((way) => way.startsWith('chunk='))?.slice('chunk='.length) ?? Number.POSITIVE_INFINITY);
const resumes = args.includes('--resume') ? args[args.indexOf('--resume') + 1] : undefined;

async function write(bytes: Buffer): Promise<void> {
  for (let from = 0; from < bytes.length; from += chunk) {
    const piece = bytes.subarray(from, from + chunk);
    await new Promise<void>((resolve) => process.stdout.write(piece, () => resolve()));
  }
}

async function obey(order: string, rest: string): Promise<void> {
  if (order === 'sleep') await setTimeout(Number(rest));
  else if (order === 'stderr') process.stderr.write(`${rest}\n`);
  else if (order === 'raw') await write(Buffer.from(rest, 'base64'));
  else if (order === 'exit') process.exit(Number(rest));
  else if (order === 'hang' || order === 'stay') {
    if (order === 'hang') process.on('SIGTERM', () => {});
    await setTimeout(3_600_000);
  } else if (order === 'repeat') {
    const [times = '0', ...text] = rest.split(' ');
    for (let left = Number(times); left > 0; left -= 1_000) {
      await write(Buffer.from(text.join(' ').repeat(Math.min(left, 1_000))));
    }
  }
}

if (ways.includes('args')) process.stderr.write(`${JSON.stringify(args)}\n`);
const stream = resumes === 'gone' ? 'gone' : name;
for (const line of readFileSync(`${import.meta.dirname}/streams/${stream}.jsonl`, 'utf8').split('\n')) {
  const [, order, rest = ''] = /^#!(\w+) ?(.*)$/.exec(line) ?? [];
  if (order) await obey(order, rest);
  // A time that is still to come cannot be recorded: {{+600}} is the second ten minutes from now.
  else if (line) await write(Buffer.from(`${line.replace(/"\{\{\+(\d+)\}\}"/g, (_, s) => `${inSeconds(s)}`)}\n`));
}

function inSeconds(seconds: string): number {
  return Math.ceil(Date.now() / 1000) + Number(seconds);
}
