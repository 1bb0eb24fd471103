import type { Resources } from '../service/resources.ts';
import { WatchedGauge } from './metrics.ts';

const connections = new WatchedGauge('mongodb_pool_connections', 'Connections to MongoDB by state: active or idle', [
  'state',
]);

/** Show the connections of this process to its database, once there are any. */
export function watchPool(resources: Pick<Resources, 'mongo'>): AsyncDisposable {
  return connections.watch(() => {
    const counts = resources.mongo?.pool();
    if (!counts) return [];
    return [
      [{ state: 'active' }, counts.active],
      [{ state: 'idle' }, counts.idle],
    ];
  });
}
