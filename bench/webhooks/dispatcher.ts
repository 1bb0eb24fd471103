// Usage: fork(this file) with --expose-gc; the settings are in the environment. Runs webhook-dispatcher and sends 'ready'; sends
// the megabytes of its heap that are in use, after collecting garbage, whenever it is asked.
import { startService } from '@claude-cli/shared/service/service';
import { webhookDispatcher } from '../../apps/webhook-dispatcher/src/service.ts';

const megabyte = 1024 * 1024;

process.on('disconnect', () => process.exit(0));
await startService(webhookDispatcher, process.env);
process.on('message', async () => {
  await globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  process.send?.((heapUsed + external) / megabyte);
});
process.send?.('ready');
