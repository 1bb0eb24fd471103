import type { BulkData, BulkUpdateTasksRequest } from '@claude-cli/proto/platform/v1/tasks';
import { invalidField } from '@claude-cli/shared/errors';
import type { EditableFields } from './change-task.ts';
import type { Task } from './task.ts';

/** What a bulk operation makes of a task's fields; "delete" deletes the task. */
export type BulkChange = 'delete' | ((task: Task) => Partial<EditableFields>);

interface OperationRule {
  required: (keyof BulkData)[];
  optional?: (keyof BulkData)[];
  change: (data: BulkData) => BulkChange;
}

const operations: Readonly<Record<string, OperationRule>> = {
  update_status: {
    required: ['status'],
    optional: ['progress_percentage'],
    change:
      ({ status, progress_percentage }) =>
      () => ({
        ...(status === undefined ? {} : { status }),
        ...(progress_percentage === undefined ? {} : { progress_percentage }),
      }),
  },
  assign: {
    required: ['assigned_to'],
    change:
      ({ assigned_to = null }) =>
      () => ({ assigned_to }),
  },
  add_tags: {
    required: ['tags'],
    change:
      ({ tags: added }) =>
      ({ tags }) => ({ tags: [...new Set([...tags, ...added])] }),
  },
  remove_tags: {
    required: ['tags'],
    change:
      ({ tags: removed }) =>
      ({ tags }) => ({ tags: tags.filter((tag) => !removed.includes(tag)) }),
  },
  set_priority: {
    required: ['priority'],
    change:
      ({ priority }) =>
      () =>
        priority === undefined ? {} : { priority },
  },
  delete: { required: [], change: () => 'delete' },
};

/**
 * What a bulk request does to each of its tasks.
 * @throws PlatformError VALIDATION_REQUIRED_FIELD for data that the operation needs, VALIDATION_ERROR for data that it does
 *   not take, and for an unknown operation
 */
export function bulkChangeOf({ operation, data = { tags: [] } }: BulkUpdateTasksRequest): BulkChange {
  const rule = Object.hasOwn(operations, operation) ? operations[operation] : undefined;
  if (!rule) throw invalidField('operation', `must be one of ${Object.keys(operations).join(', ')}`);
  const { required, optional = [], change } = rule;
  const given = (Object.keys(data) as (keyof BulkData)[]).filter((field) => isGiven(data[field]));
  const missing = required.find((field) => !given.includes(field));
  if (missing) throw invalidField(`data.${missing}`, `is required to ${operation}`, 'VALIDATION_REQUIRED_FIELD');
  const unknown = given.find((field) => !required.includes(field) && !optional.includes(field));
  if (unknown) throw invalidField(`data.${unknown}`, `is not taken by ${operation}`);
  return change(data);
}

function isGiven(value: BulkData[keyof BulkData]): boolean {
  return Array.isArray(value) ? value.length > 0 : value !== undefined;
}
