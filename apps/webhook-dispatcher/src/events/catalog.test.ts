import { readFileSync } from 'node:fs';
import { newEvent } from '@claude-cli/shared/events';
import { exampleBody, schemaOf } from '@claude-cli/shared/webhooks/body';
import { type DeliverableEvent, deliverableTypes, entryOf, subscriptionsTo } from '@claude-cli/shared/webhooks/catalog';
import { describe, expect, test } from '@jest/globals';
import { taskCompleted, taskUpdated } from '../testing/requests.ts';
import { catalogTable } from './catalog-table.ts';
import { listEventTypes } from './list-event-types.ts';
import { bodyOf, toldOf } from './payload.ts';

const contract = readFileSync(
  new URL('../../../../packages/proto/proto/platform/v1/webhooks.proto', import.meta.url),
  'utf8',
);

/** What an event tells: its body, of data that its schema has accepted to the last field. */
function told(event: DeliverableEvent): Record<string, unknown> {
  const body = JSON.parse(bodyOf(toldOf(event), 'w', 'd'));
  entryOf(event.type).data.strict().parse(body.data);
  return body;
}

describe('the catalog of events', () => {
  test('is what the contract lets callers ask for', () => {
    const lists = [...contract.matchAll(/one_of: \[("(?:\*", "|task\.created)[^\]]*)\]/g)].map(([, list = '']) =>
      JSON.parse(`[${list}]`),
    );
    expect(lists).toEqual([['*', ...deliverableTypes], ['*', ...deliverableTypes], deliverableTypes]);
  });

  test('has every event that the reference of the API promises', () => {
    const promised = ['task.created', 'task.updated', 'task.completed', 'task.failed', 'project.created'];
    expect(deliverableTypes).toEqual(
      expect.arrayContaining([...promised, 'project.updated', 'system.maintenance', 'system.alert']),
    );
  });

  test.each(deliverableTypes.map((type) => [type]))('%s has an example of the shape that it promises', (type) => {
    expect(() => entryOf(type).data.strict().parse(entryOf(type).example)).not.toThrow();
    expect(exampleBody(type)).toMatchObject({ event: type, webhook_id: expect.any(String) });
    expect(schemaOf(type)).toMatchObject({
      type: 'object',
      required: ['event', 'timestamp', 'data', 'webhook_id', 'delivery_id'],
      properties: { event: { const: type }, data: { type: 'object' } },
    });
  });

  test('is told with descriptions, examples and schemas', async () => {
    const { items } = await listEventTypes({} as never, {});
    expect(items.map(({ type }) => type)).toEqual(deliverableTypes);
    expect(items.filter(({ in_all }) => !in_all).map(({ type }) => type)).toEqual(['task.progress']);
    expect(items.filter(({ admin_only }) => admin_only).map(({ type }) => type)).toEqual([
      'system.maintenance',
      'system.alert',
    ]);
  });

  test('progress is told only to those who ask for it by name', () => {
    expect(subscriptionsTo('task.progress')).toEqual(['task.progress']);
    expect(subscriptionsTo('task.failed')).toEqual(['task.failed', '*']);
  });
});

describe('the body of a delivery', () => {
  test('is that of the reference, to the field', () => {
    const event = taskCompleted('p') as DeliverableEvent;
    const body = told(event);
    expect(Object.keys(body)).toEqual(['event', 'timestamp', 'data', 'webhook_id', 'delivery_id']);
    expect(body).toMatchObject({
      event: 'task.completed',
      timestamp: event.time,
      data: { project_id: 'p', status: 'completed', duration: '00:05:30' },
      webhook_id: 'w',
      delivery_id: 'd',
    });
  });

  test('names the fields that changed, not what they held', () => {
    const event = taskUpdated('p') as DeliverableEvent;
    expect(told(event)).toMatchObject({ data: { changed_fields: ['title'] } });
    expect(JSON.stringify(told(event))).not.toContain('old_value');
  });

  test('tells of a project who may not be known to everybody: not its members', () => {
    const data = { name: 'Shop', status: 'active', member_ids: ['a', 'b'] } as const;
    const event = newEvent('project.created', { actor: 'a', project_id: 'p' }, { ...data, member_ids: ['a', 'b'] });
    expect(told(event as DeliverableEvent)).toMatchObject({
      data: { project_id: 'p', name: 'Shop', status: 'active' },
    });
  });

  test('is bounded, however long an error is', () => {
    const facts = { task_id: 't', title: 'x', status: 'failed', progress_percentage: 0, changes: [] } as const;
    const run = { execution_id: null, exit_code: 1, timed_out: false, error: 'e'.repeat(1_000_000) };
    const data = { ...facts, changes: [], updated_at: '2025-07-30T14:00:00.000Z', ...run };
    const event = newEvent('task.failed', { actor: 'a', project_id: 'p' }, data);
    expect(JSON.stringify(told(event as DeliverableEvent)).length).toBeLessThan(3_000);
  });
});

test('the table of docs/webhooks.md tells the catalog as it is', () => {
  const document = readFileSync(new URL('../../../../docs/webhooks.md', import.meta.url), 'utf8');
  expect(document).toContain(`\n\n${catalogTable()}\n\n`);
});
