import type { QueueName_Name } from '@claude-cli/proto/platform/v1/queues';
import type { Priority } from '@claude-cli/shared/amqp/topology';
import { invalidField } from '@claude-cli/shared/errors';

/** Priority of the executions in a queue. @throws PlatformError VALIDATION_REQUIRED_FIELD when no queue is named */
export function priorityOf(queue_name: QueueName_Name | undefined): Priority {
  if (queue_name === undefined) throw invalidField('queue_name', 'is required', 'VALIDATION_REQUIRED_FIELD');
  return priorityByName[queue_name];
}

/** What callers know the queue of a priority as. */
export function nameOf(priority: Priority): QueueName_Name {
  return `${priority}_priority`;
}

const priorityByName: Readonly<Record<QueueName_Name, Priority>> = {
  high_priority: 'high',
  normal_priority: 'normal',
  low_priority: 'low',
};

/** Something of each queue, under the names of the contract. */
export function byName<Value>(make: (priority: Priority) => Value): Record<QueueName_Name, Value> {
  return { high_priority: make('high'), normal_priority: make('normal'), low_priority: make('low') };
}

/** Something of each queue. */
export function byPriority<Value>(make: (priority: Priority) => Value): Record<Priority, Value> {
  return { high: make('high'), normal: make('normal'), low: make('low') };
}
