import { runService } from '@claude-cli/shared/service/run';
import { commandRunner } from './service.ts';

await runService(commandRunner);
