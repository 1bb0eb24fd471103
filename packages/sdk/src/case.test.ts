import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { camelCased, snakeCased, toCamel, toSnake } from './case.ts';
import { operations, shapes } from './gen/operations.ts';
import type { Shape } from './operation.ts';

const name = fc.stringMatching(/^[a-z][a-z0-9]{0,4}(_[a-z][a-z0-9]{0,4}){0,3}$/);

test('every name comes back as it was', () => {
  fc.assert(fc.property(name, (given) => toSnake(toCamel(given)) === given));
});

/** Objects as the API answers them: declared fields by name, anything in those that are free-form. */
function answerOf(shape: Shape, depth = 0): fc.Arbitrary<unknown> {
  const fields = typeof shape === 'string' ? (shapes[shape] ?? {}) : shape;
  const inner = Object.entries(fields as object).map(([field, held]) => {
    const value: fc.Arbitrary<unknown> = depth > 2 ? fc.constant(null) : answerOf(held, depth + 1);
    return [field, fc.oneof(value, fc.array(value, { maxLength: 2 }))] as const;
  });
  const free = fc.dictionary(fc.string({ maxLength: 6 }), fc.jsonValue({ maxDepth: 1 }), { maxKeys: 3 });
  return fc.record({ created_at: fc.string(), metadata: free, ...Object.fromEntries(inner) });
}

test.each(Object.keys(shapes))(
  'what %s holds survives the way there and back, free-form objects untouched',
  (shape) => {
    fc.assert(
      fc.property(answerOf(shape), (value) => {
        const camel = camelCased(value, shape) as { metadata: unknown; createdAt: unknown };
        expect(camel.metadata).toBe((value as { metadata: unknown }).metadata);
        expect(camel).toHaveProperty('createdAt');
        expect(snakeCased(camel, shape)).toEqual(value);
      }),
      { numRuns: 10 },
    );
  },
);

test('free-form fields are those that the document declares no fields of', () => {
  const free = { some_key: { other_key: 1 }, camelKey: 2 };
  const { request, answer } = operations.createTask;
  expect(snakeCased({ projectId: 'p', metadata: free }, request)).toEqual({ project_id: 'p', metadata: free });
  expect(camelCased({ project_id: 'p', metadata: free }, answer)).toEqual({ projectId: 'p', metadata: free });
  expect(snakeCased({ resourceLimits: { maxTasks: 1 }, settings: free }, operations.createProject.request)).toEqual({
    resource_limits: { max_tasks: 1 },
    settings: free,
  });
  expect(camelCased({ preferences: free, statistics: { tasks_created: 1 } }, operations.getProfile.answer)).toEqual({
    preferences: free,
    statistics: { tasksCreated: 1 },
  });
});
