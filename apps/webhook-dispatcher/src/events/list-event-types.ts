import type { ListEventTypesRequest, ListEventTypesResponse } from '@claude-cli/proto/platform/v1/webhooks';
import { exampleBody, schemaOf } from '@claude-cli/shared/webhooks/body';
import { deliverableTypes, entryOf } from '@claude-cli/shared/webhooks/catalog';
import type { Context } from '../context.ts';

const items = deliverableTypes.map((type) => {
  const { description, byNameOnly = false, adminOnly = false } = entryOf(type);
  const [example, schema] = [exampleBody(type), schemaOf(type)];
  return { type, description, in_all: !byNameOnly, admin_only: adminOnly, example, schema };
});

/** Every type of event that can be delivered. */
export async function listEventTypes(_ctx: Context, _: ListEventTypesRequest): Promise<ListEventTypesResponse> {
  return { items };
}
