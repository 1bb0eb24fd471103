import { runService } from '@claude-cli/shared/service/run';
import { projectService } from './service.ts';

await runService(projectService);
