import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

const levels: [least: number, style: Style][] = [
  [50, 'red'],
  [40, 'yellow'],
  [30, 'green'],
  [0, 'gray'],
];

// What pino adds to every line, and what the prefix says already.
const hidden = new Set(['level', 'time', 'msg', 'service', 'pid', 'hostname', 'v']);

/** A line that a service wrote, for people: pino's JSON as `time service  message key=value`, anything else as it is. */
export function formatLogLine(source: string, line: string): string {
  const entry = parse(line);
  const time = new Date(typeof entry?.time === 'number' ? entry.time : Date.now()).toTimeString().slice(0, 8);
  const prefix = `${styleText('gray', time)} ${styleText('cyan', source.padEnd(15))}`;
  if (!entry) return `${prefix} ${line}`;
  const level = Number(entry.level);
  const style = levels.find(([least]) => level >= least)?.[1] ?? 'gray';
  const pairs = Object.entries(entry).filter(([key]) => !hidden.has(key));
  const rest = pairs.map(([key, value]) => ` ${styleText('gray', `${key}=`)}${show(value)}`).join('');
  return `${prefix} ${styleText(style, String(entry.msg ?? ''))}${rest}`;
}

function parse(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const entry: unknown = JSON.parse(line);
    return typeof entry === 'object' && entry !== null && 'level' in entry ? { ...entry } : undefined;
  } catch {
    return undefined;
  }
}

function show(value: unknown): string {
  if (typeof value === 'string') return /^[^\s"]+$/.test(value) ? value : JSON.stringify(value);
  // pino writes errors as objects; their stack is the one part that needs its own lines.
  if (typeof value === 'object' && value !== null && 'stack' in value && value.stack) return `\n${value.stack}`;
  return JSON.stringify(value);
}
