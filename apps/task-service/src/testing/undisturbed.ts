import { newId } from '@claude-cli/shared/ids';
import type { Context } from '../context.ts';
import { database } from '../database.ts';
import { executionModel } from '../executions/execution.ts';
import { openQueues } from '../queues/queues.ts';

/** The context of a service with executions and queues in a database of their own, which its timers leave alone. */
export async function undisturbed(ctx: Context): Promise<Context> {
  const { db } = ctx.executions;
  const connection = db.useDb(`${db.name}_${newId()}`);
  const executions = executionModel(connection);
  await Promise.all(database.models(connection).map((model) => model.createIndexes()));
  const queues = await openQueues(connection, { executions, limit: 100 }, async () => {}, ctx.log);
  return { ...ctx, executions, queues };
}
