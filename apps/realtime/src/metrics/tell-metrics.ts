import { every } from '@claude-cli/shared/timer';
import type { Context } from '../context.ts';

/** Tell those who listen to it how things are, again and again. */
export function tellMetrics({ limits, metrics, log }: Context): AsyncDisposable {
  return every(limits.metricsMs, 'telling how things are', () => metrics.tick(), log);
}
