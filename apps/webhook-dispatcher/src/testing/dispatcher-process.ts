// Usage: fork(this file); the settings are in the environment. Runs webhook-dispatcher with short leases, and sends 'ready'.
import { startService } from '@claude-cli/shared/service/service';
import { createContext } from '../context.ts';
import { defaultLimits } from '../sending/limits.ts';
import { webhookDispatcher } from '../service.ts';

const limits = { ...defaultLimits, leaseMs: 1_500, pollMs: 50 };

process.on('disconnect', () => process.exit(0));
await startService({ ...webhookDispatcher, context: (base) => createContext(base, limits) }, process.env);
process.send?.('ready');
