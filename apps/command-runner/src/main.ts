import { hideEnvironment } from '@claude-cli/shared/service/hidden-environment';

// Before anything else is loaded, because it may start this process anew.
hideEnvironment();
const [{ runService }, { commandRunner }] = await Promise.all([
  import('@claude-cli/shared/service/run'),
  import('./service.ts'),
]);
await runService(commandRunner);
