import { runService } from '@claude-cli/shared/service/run';
import { gatewaySettings } from './config.ts';
import { createContext } from './context.ts';
import { startGateway } from './http/server.ts';

await runService({
  name: 'gateway',
  settings: gatewaySettings,
  context: createContext,
  runs: [({ maintenance }) => maintenance.start(), (ctx) => startGateway(ctx)],
});
