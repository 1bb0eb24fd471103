import { errorKinds } from '@claude-cli/shared/errors';
import type { Schema } from '../contract/schema.ts';

const string = { type: 'string' };
const time = { type: 'string', format: 'date-time' };
const integer = { type: 'integer' };
const boolean = { type: 'boolean' };
const link = { type: ['string', 'null'] };
const object = (description: string, properties: Record<string, Schema>): Schema => ({
  type: 'object',
  description,
  properties,
  required: Object.keys(properties),
});
const position = { page: integer, page_size: integer, pages: integer };

/** Schemas of what surrounds every answer, by their names in a document. */
export const envelopeSchemas: Readonly<Record<string, Schema>> = {
  Meta: object('About the answer itself.', { timestamp: time, request_id: string, version: string }),
  Error: object('An answer that is not a success.', {
    data: { type: 'null' },
    error: object('What went wrong.', {
      code: { type: 'string', enum: Object.keys(errorKinds), description: 'Decide by this one.' },
      message: { ...string, description: 'A sentence for people. It may change.' },
      details: {
        type: 'object',
        description: 'Facts: for a wrong field `{field, issue}`.',
        additionalProperties: true,
      },
    }),
    meta: object('About the answer itself.', { timestamp: time, request_id: string }),
  }),
  Page: object('Where a page lies among the others.', {
    ...position,
    has_next: boolean,
    has_previous: boolean,
    pagination: object('The same, with links that keep the other parameters.', {
      total: integer,
      ...position,
      links: object('Addresses of other pages; null where there is none.', {
        first: link,
        previous: link,
        next: link,
        last: link,
      }),
    }),
  }),
};

/** A reference to a part of the document. */
export function reference(kind: 'schemas' | 'responses' | 'headers' | 'parameters' | 'examples', name: string): Schema {
  return { $ref: `#/components/${kind}/${name}` };
}
