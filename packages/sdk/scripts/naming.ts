/** Methods whose names do not follow from their operation. */
const methods: Readonly<Record<string, string>> = {
  refreshToken: 'refresh',
  getHealth: 'get',
  getDetailedHealth: 'detailed',
  getSystemInfo: 'info',
  getMaintenance: 'maintenance',
  startMaintenance: 'startMaintenance',
  endMaintenance: 'endMaintenance',
  listProjectTasks: 'tasks',
  getProjectAnalytics: 'analytics',
  bulkUpdateTasks: 'bulk',
  getTaskHistory: 'history',
  getTaskExecution: 'execution',
  getSessionHistory: 'history',
  getCommandStatus: 'status',
  listCommandHistory: 'history',
  listRunningCommands: 'running',
  listCommandSuggestions: 'suggestions',
  getQueueMetrics: 'metrics',
  getQueueStatus: 'status',
  changeQueuePriority: 'priority',
  listDeadLetters: 'deadLetters',
  getProfile: 'profile',
  listEventTypes: 'eventTypes',
  listDeliveries: 'deliveries',
  getDelivery: 'delivery',
  startReplay: 'replay',
  getReplay: 'replayProgress',
  getWebhookStatistics: 'statistics',
};

/** Paths whose resource is not their first segment. */
const resources: readonly [RegExp, string][] = [
  [/^\/api\/users\/api-keys/, 'apiKeys'],
  [/^\/api\/projects\/\{\w+\}\/members/, 'members'],
];

/** Property of the client below which an endpoint is found. */
export function resourceOf(path: string): string {
  const special = resources.find(([pattern]) => pattern.test(path));
  return special?.[1] ?? camelOf(String(path.split('/')[2]).replaceAll('-', '_'));
}

/** Method that calls an endpoint: its operation without the name of its resource. */
export function methodOf(operationId: string, path: string): string {
  const special = methods[operationId];
  if (special) return special;
  const plural = capital(resourceOf(path));
  const singular = plural.replace(/s$/, '');
  for (const noun of [plural, singular]) {
    if (operationId.endsWith(noun)) return operationId.slice(0, -noun.length);
  }
  return operationId;
}

/** Name of the method that walks through all pages of another. */
export function iteratorOf(method: string): string {
  return method === 'list' ? 'iterate' : `iterate${capital(method)}`;
}

/** @throws Error for a name that would not come back as it was */
export function camelOf(name: string): string {
  const camel = name.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());
  if (snakeOf(camel) !== name) throw new Error(`${name} cannot be turned into camel case and back`);
  return camel;
}

/** camelCase to snake_case. */
export function snakeOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** With a capital at the start. */
export function capital(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/** Name of a component as a type: dots of nested ones are left out. */
export function typeName(component: string): string {
  return component.replaceAll('.', '');
}
