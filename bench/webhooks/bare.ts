// Usage: fork(this file); sends 'ready'. Told {url, endpoints, count, concurrency, bodies, secret}, it signs and posts so many
// bodies by undici with so many requests under way, and sends 'done'.
import { newId } from '@claude-cli/shared/ids';
import { Agent } from 'undici';
import { signatureHeaders, signingKeys } from '../../apps/webhook-dispatcher/src/sending/sign.ts';

/** What is posted. */
export interface BareOrder {
  url: string;
  endpoints: number;
  count: number;
  concurrency: number;
  bodies: string[];
  secret: string;
}

async function post({ url, endpoints, count, concurrency, bodies, secret }: BareOrder): Promise<string> {
  const agent = new Agent();
  const { origin, pathname } = new URL(url);
  const keys = [signingKeys(secret)];
  let next = 0;
  const work = async () => {
    for (let n = next++; n < count; n = next++) {
      const body = bodies[n % bodies.length] ?? '';
      const about = { deliveryId: newId(), eventType: 'task.completed', keys, at: new Date() };
      const headers = { 'content-type': 'application/json', ...signatureHeaders({ ...about, body }) };
      const path = `${pathname}/${n % endpoints}`;
      const answer = await agent.request({ origin, path, method: 'POST', headers, body });
      await answer.body.dump();
      if (answer.statusCode !== 204) throw new Error(`answered ${answer.statusCode}`);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  await agent.close();
  return 'done';
}

process.on('message', async (order: BareOrder) => process.send?.(await post(order)));
process.on('disconnect', () => process.exit(0));
process.send?.('ready');
