import { runService } from '@claude-cli/shared/service/run';
import { webhookDispatcher } from './service.ts';

await runService(webhookDispatcher);
