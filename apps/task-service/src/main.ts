import { runService } from '@claude-cli/shared/service/run';
import { taskService } from './service.ts';

await runService(taskService);
