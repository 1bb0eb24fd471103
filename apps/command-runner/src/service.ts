import { CommandServiceService } from '@claude-cli/proto/platform/v1/commands';
import { serve } from '@claude-cli/shared/grpc/server';
import { retentionLookMs } from '@claude-cli/shared/retention';
import type { Service } from '@claude-cli/shared/service/service';
import { every } from '@claude-cli/shared/timer';
import { cancelCommand } from './commands/cancel-command.ts';
import { drainOnStop } from './commands/drain.ts';
import { dropOutdatedCommands } from './commands/drop-outdated-commands.ts';
import { executeCommand } from './commands/execute-command.ts';
import { forgetAccess } from './commands/forget-access.ts';
import { getCommandStatus } from './commands/get-command-status.ts';
import { listCommandHistory } from './commands/list-command-history.ts';
import { listRunningCommands } from './commands/list-running-commands.ts';
import { watchLostCommands } from './commands/lost-commands.ts';
import { watchSlots } from './commands/metrics.ts';
import { obeyControl } from './commands/obey-control.ts';
import { readCommandOutput } from './commands/read-command-output.ts';
import { validateCommand } from './commands/validate-command.ts';
import { type Context, openContext, runnerSettings } from './context.ts';
import { Intake } from './executions/intake.ts';
import { reportRunner } from './executions/report-runner.ts';
import { listCommandSuggestions } from './suggestions/list-command-suggestions.ts';

const dropOld = (ctx: Context) =>
  every(retentionLookMs, 'dropping old commands', () => dropOutdatedCommands(ctx), ctx.log);

/** The service that runs processes: direct commands, and executions of tasks taken from the queues. */
export const commandRunner: Service<(typeof runnerSettings)[number], Context> = {
  name: 'command-runner',
  settings: runnerSettings,
  context: openContext,
  serves: [
    serve<Context, typeof CommandServiceService>(CommandServiceService, {
      executeCommand,
      getCommandStatus,
      cancelCommand,
      listRunningCommands,
      listCommandHistory,
      listCommandSuggestions,
      validateCommand,
      readCommandOutput,
    }),
  ],
  // Stopped from the last: first it is said that the runner leaves, and nothing more is taken, then what runs may finish while
  // it can still be cancelled.
  runs: [watchSlots, dropOld, watchLostCommands, forgetAccess, obeyControl, drainOnStop, Intake.start, reportRunner],
};
