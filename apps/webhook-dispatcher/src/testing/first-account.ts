import { AuthServiceService } from '@claude-cli/proto/platform/v1/auth';
import { anonymous } from '@claude-cli/shared/caller';
import { newId } from '@claude-cli/shared/ids';
import { testChannel } from '@claude-cli/shared/testing/channel';

/** Id of the first account, which may do everything. @param port where project-service answers gRPC @param env what it was started with */
export async function firstAccount(port: number, env: Record<string, string>): Promise<string> {
  const channel = testChannel(port);
  const { ADMIN_USERNAME: username = '', ADMIN_PASSWORD: password = '' } = env;
  const visitor = { caller: anonymous, requestId: newId() };
  const { user } = await channel.client(AuthServiceService).login({ username, password }, visitor);
  channel.close();
  return user?.id ?? '';
}
