import { requirePermission } from '@claude-cli/shared/caller';
import { checkPlatform, overall } from '@claude-cli/shared/service/health';
import { diagnosisOf } from '../connections/diagnosis.ts';
import type { Context } from '../context.ts';
import type { Answer } from '../messages/answer.ts';
import type { ClientMessage } from '../messages/client-message.ts';
import type { Subscriber } from '../subscriptions/hub.ts';

/** How things are now: always what performance_data tells, and what else was asked for. */
export async function getMetrics(
  ctx: Context,
  { origin }: Subscriber,
  { metrics }: ClientMessage<'get_metrics'>,
): Promise<Answer> {
  requirePermission(origin.caller, 'read');
  const [performance, queue_status, system_health] = await Promise.all([
    ctx.metrics.performance(),
    metrics.includes('queue_status') ? ctx.metrics.queues() : undefined,
    metrics.includes('system_health') ? ctx.health.get('now', () => lookAtHealth(ctx, origin.requestId)) : undefined,
  ]);
  return {
    type: 'performance_data',
    data: { ...performance, ...(queue_status && { queue_status }), ...(system_health && { system_health }) },
  };
}

/** Who may be asked: the services that realtime works with. */
const neighbours = ['project-service', 'task-service', 'command-runner'] as const;

/** As `GET /api/health/detailed` tells it, of what realtime works with. */
async function lookAtHealth(ctx: Context, requestId: string): Promise<object> {
  const { channel, log } = ctx;
  const broker = { status: ctx.bus.connected ? 'healthy' : 'unhealthy' } as const;
  const own = { name: 'realtime', diagnosis: { ...diagnosisOf(ctx), broker } } as const;
  const checks = await checkPlatform({ name: 'realtime', channel, log, neighbours, own }, requestId);
  return { status: overall(checks), checks };
}
