import type { Accounts } from '@claude-cli/shared/accounts';
import type { Caller } from '@claude-cli/shared/caller';
import type { MaintenanceWatch } from '@claude-cli/shared/maintenance';

/** What this process remembers, and a request may make untrue. */
export interface Remembered {
  accounts: Accounts;
  maintenance: MaintenanceWatch;
}

type Effect = (remembered: Remembered, caller: Caller, message: Record<string, unknown>) => void | Promise<void>;

const forgetCaller: Effect = ({ accounts }, caller) => accounts.forget(caller.user_id);
const lookAgain: Effect = ({ maintenance }) => maintenance.look();

/**
 * What has to be asked anew after an operation succeeded, so that its effect is seen by the very next request through this
 * replica. Other replicas see it within seconds, when what they remember has aged.
 */
export const effects: Readonly<Record<string, Effect>> = {
  'AuthService.Logout': forgetCaller,
  'UserService.ChangePassword': forgetCaller,
  'UserService.DeleteApiKey': forgetCaller,
  'UserService.UpdateUser': ({ accounts }, _caller, message) => accounts.forget(String(message.user_id)),
  'MaintenanceService.StartMaintenance': lookAgain,
  'MaintenanceService.EndMaintenance': lookAgain,
};
