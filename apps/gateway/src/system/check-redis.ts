import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { RedisCheck } from '@claude-cli/proto/platform/v1/system';
import { formatBytes } from './get-system-info.ts';

const timeoutMs = 1_000;
const maxAnswerBytes = 65_536;

/** Ask Redis how it is: one INFO, without a client library. */
export async function checkRedis(url: string | undefined): Promise<RedisCheck> {
  if (url === undefined) return { status: 'not_configured' };
  try {
    const info = await askInfo(new URL(url));
    return {
      status: 'healthy',
      memory_usage: formatBytes(factOf(info, 'used_memory')),
      connected_clients: factOf(info, 'connected_clients'),
    };
  } catch {
    return { status: 'unhealthy' };
  }
}

function factOf(info: string, name: string): number {
  const value = new RegExp(`^${name}:(\\d+)\\r$`, 'm').exec(info)?.[1];
  if (value === undefined) throw new Error(`Redis did not tell ${name}`);
  return Number(value);
}

function askInfo({ protocol, hostname, port, username, password }: URL): Promise<string> {
  const address = { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port || 6379) };
  const secret = decodeURIComponent(password);
  const credentials = username ? [decodeURIComponent(username), secret] : [secret];
  const login = password ? command('AUTH', ...credentials) : '';
  return new Promise((resolve, reject) => {
    const socket = protocol === 'rediss:' ? connectTls({ ...address, servername: address.host }) : connect(address);
    const timer = setTimeout(() => socket.destroy(new Error('Redis did not answer in time')), timeoutMs);
    let answer = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      answer += chunk;
      if (answer.length > maxAnswerBytes) socket.destroy(new Error('Redis answered too much'));
    });
    socket.on('error', reject);
    socket.on('close', () => {
      clearTimeout(timer);
      // After an error this is too late to matter: the first of resolve and reject counts.
      resolve(answer);
    });
    // QUIT lets Redis close the connection when all is said, so the end needs no parsing.
    socket.write(`${login}${command('INFO')}${command('QUIT')}`);
  });
}

function command(...words: string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
}
