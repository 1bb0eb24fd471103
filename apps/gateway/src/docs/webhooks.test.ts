import { deliverableTypes } from '@claude-cli/shared/webhooks/catalog';
import { expect, test } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { webhooksOf } from './webhooks.ts';

const ajv = new Ajv2020();
addFormats.default(ajv);
// biome-ignore lint/suspicious/noExplicitAny: a document is walked, not typed
const webhooks: Record<string, any> = webhooksOf();

test('every event that can be delivered is documented', () => {
  expect(Object.keys(webhooks)).toEqual(deliverableTypes);
});

test.each(deliverableTypes)('the example of %s fits its schema, and its headers name it', (type) => {
  const { requestBody, parameters } = webhooks[type].post;
  const { schema, example } = requestBody.content['application/json'];
  expect(ajv.validate(schema, example) ? '' : ajv.errorsText()).toBe('');
  const headers = Object.fromEntries(
    parameters.map((each: { name: string; example: unknown }) => [each.name, each.example]),
  );
  expect(headers).toMatchObject({ 'X-Event-Type': type, 'X-Delivery-ID': example.delivery_id });
});
