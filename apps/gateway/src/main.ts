import { runService } from '@claude-cli/shared/service/run';
import { gateway } from './service.ts';

await runService(gateway);
