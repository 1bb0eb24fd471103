import { runService } from '@claude-cli/shared/service/run';
import { realtime } from './service.ts';

await runService(realtime);
