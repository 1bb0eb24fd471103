import { PlatformError } from '@claude-cli/shared/errors';
import { describe, expect, test } from '@jest/globals';
import { loadContract } from './contract.ts';
import { endpointsOf } from './endpoints.ts';
import { requestReaderOf } from './request.ts';
import { validatorsOf } from './validator.ts';

const contract = loadContract();
const compile = validatorsOf(contract);
const readers = new Map(
  endpointsOf(contract).map((endpoint) => [endpoint.name, requestReaderOf(endpoint, compile(endpoint.request))]),
);
const id = '01890000-0000-7000-8000-000000000001';
const task = { title: 'Write', project_id: id };

function read(name: string, parts: { params?: Record<string, string>; query?: string; body?: unknown }) {
  const reader = readers.get(name);
  if (!reader) throw new Error(`no endpoint ${name}`);
  return reader({ params: parts.params ?? {}, query: parts.query ?? '', body: parts.body });
}

function refusal(name: string, parts: Parameters<typeof read>[1]): [string, unknown, unknown] {
  try {
    read(name, parts);
  } catch (error) {
    if (error instanceof PlatformError) return [error.code, error.details.field, error.details.issue];
    throw error;
  }
  throw new Error('the request was accepted');
}

const create = (body: unknown) => refusal('TaskService.CreateTask', { body });
const list = (query: string) => refusal('TaskService.ListTasks', { query });
const update = (body: unknown) => read('TaskService.UpdateTask', { params: { task_id: id }, body });

const nested = (depth: number): unknown => (depth === 0 ? 'end' : { a: nested(depth - 1) });

describe('a body', () => {
  test.each<[string, unknown, string, string]>([
    ['without a required field', { project_id: id }, 'VALIDATION_REQUIRED_FIELD', 'title'],
    ['with null for a required field', { ...task, title: null }, 'VALIDATION_REQUIRED_FIELD', 'title'],
    ['that lacks one field and gets another wrong', { title: 5 }, 'VALIDATION_REQUIRED_FIELD', 'project_id'],
    ['with an empty required text', { ...task, title: '' }, 'VALIDATION_VALUE_TOO_SHORT', 'title'],
    ['with a blank title', { ...task, title: '  ' }, 'VALIDATION_INVALID_FORMAT', 'title'],
    ['with a number for a text', { ...task, title: 5 }, 'VALIDATION_ERROR', 'title'],
    ['with a text for a number', { ...task, priority: '5' }, 'VALIDATION_ERROR', 'priority'],
    ['with a fraction for an integer', { ...task, priority: 1.5 }, 'VALIDATION_ERROR', 'priority'],
    ['with a number below the minimum', { ...task, priority: -1 }, 'VALIDATION_ERROR', 'priority'],
    ['with a number above the maximum', { ...task, priority: 101 }, 'VALIDATION_ERROR', 'priority'],
    ['with a text too long', { ...task, title: 'x'.repeat(256) }, 'VALIDATION_VALUE_TOO_LONG', 'title'],
    ['with a list too long', { ...task, tags: Array(51).fill('x') }, 'VALIDATION_VALUE_TOO_LONG', 'tags'],
    ['with an empty element', { ...task, tags: [''] }, 'VALIDATION_VALUE_TOO_SHORT', 'tags.0'],
    ['with null as an element', { ...task, tags: [null] }, 'VALIDATION_ERROR', 'tags.0'],
    ['with a text for a list', { ...task, tags: 'x' }, 'VALIDATION_ERROR', 'tags'],
    ['with an id that is none', { ...task, project_id: 'x' }, 'VALIDATION_INVALID_FORMAT', 'project_id'],
    ['with a URN for an id', { ...task, project_id: `urn:uuid:${id}` }, 'VALIDATION_INVALID_FORMAT', 'project_id'],
    ['with 60 minutes', { ...task, estimated_duration: '01:60:00' }, 'VALIDATION_INVALID_FORMAT', 'estimated_duration'],
    ['with an unknown field', { ...task, titel: 'x' }, 'VALIDATION_ERROR', 'titel'],
    ['with an unknown field that is null', { ...task, titel: null }, 'VALIDATION_ERROR', 'titel'],
    [
      'with __proto__',
      JSON.parse(`{"title":"x","project_id":"${id}","__proto__":{}}`),
      'VALIDATION_ERROR',
      '__proto__',
    ],
    ['with cleared_fields', { ...task, cleared_fields: [] }, 'VALIDATION_ERROR', 'cleared_fields'],
    ['with a NUL', { ...task, title: 'a\0b' }, 'VALIDATION_INVALID_FORMAT', 'title'],
    ['with half of a surrogate pair', { ...task, title: 'a\ud800b' }, 'VALIDATION_INVALID_FORMAT', 'title'],
    ['that is a list', [task], 'VALIDATION_ERROR', 'body'],
    ['that is a text', 'x', 'VALIDATION_ERROR', 'body'],
    ['that is null', null, 'VALIDATION_ERROR', 'body'],
    [
      'with a wrong nested field',
      { ...task, dependencies: [{}] },
      'VALIDATION_REQUIRED_FIELD',
      'dependencies.0.depends_on_task_id',
    ],
    [
      'with an unknown nested field',
      { ...task, dependencies: [{ depends_on_task_id: id, x: 1 }] },
      'VALIDATION_ERROR',
      'dependencies.0.x',
    ],
    ['with a list for an object', { ...task, metadata: [] }, 'VALIDATION_ERROR', 'metadata'],
    ['with an object too deep', { ...task, metadata: nested(33) }, 'VALIDATION_INVALID_FORMAT', 'metadata'],
    [
      'with an object too large',
      { ...task, metadata: { a: 'x'.repeat(65_536) } },
      'VALIDATION_VALUE_TOO_LONG',
      'metadata',
    ],
    [
      'with __proto__ far inside',
      { ...task, metadata: JSON.parse('{"a":[{"__proto__":1}]}') },
      'VALIDATION_INVALID_FORMAT',
      'metadata',
    ],
    ['with a NUL in a key', { ...task, metadata: { 'a\0': 1 } }, 'VALIDATION_INVALID_FORMAT', 'metadata'],
    ['with infinity inside', { ...task, metadata: JSON.parse('{"a":1e999}') }, 'VALIDATION_INVALID_FORMAT', 'metadata'],
  ])('%s is refused', (_what, body, code, field) => {
    expect(create(body)).toEqual([code, field, expect.any(String)]);
  });

  test('names the values that an enumeration accepts', () => {
    expect(refusal('TaskService.ExecuteTask', { params: { task_id: id }, body: { priority: 'urgent' } })).toEqual([
      'VALIDATION_ERROR',
      'priority',
      'must be one of normal, high, low',
    ]);
  });

  test('counts characters, not their halves', () => {
    expect(() => read('TaskService.CreateTask', { body: { ...task, title: '😀'.repeat(255) } })).not.toThrow();
  });

  test('may hold an object as deep and as large as is allowed', () => {
    expect(() => read('TaskService.CreateTask', { body: { ...task, metadata: nested(32) } })).not.toThrow();
    const brackets = '{"a":""}'.length;
    const metadata = { a: 'x'.repeat(65_536 - brackets) };
    expect(() => read('TaskService.CreateTask', { body: { ...task, metadata } })).not.toThrow();
  });

  test('gets defaults for what is absent or null, in nested messages too', () => {
    const body = { ...task, priority: null, dependencies: [{ depends_on_task_id: id, dependency_type: null }] };
    expect(read('TaskService.CreateTask', { body })).toMatchObject({
      priority: 1,
      dependencies: [{ dependency_type: 'blocks' }],
    });
  });

  test('may be absent where nothing is required', () => {
    const message = read('TaskService.CancelTask', { params: { task_id: id } });
    expect(message).toEqual({ task_id: id });
  });

  test('may repeat a path parameter, but not contradict it', () => {
    expect(update({ task_id: id, title: 'x' })).toMatchObject({ task_id: id });
    const other = { params: { task_id: id }, body: { task_id: '01890000-0000-7000-8000-000000000002' } };
    expect(refusal('TaskService.UpdateTask', other)).toEqual(['VALIDATION_ERROR', 'task_id', 'Field is unknown']);
  });

  test('goes with no query', () => {
    expect(refusal('TaskService.CreateTask', { body: task, query: 'dry_run=true' }).slice(0, 2)).toEqual([
      'VALIDATION_ERROR',
      'dry_run',
    ]);
  });

  test('has maps of texts to texts only', () => {
    const execute = (environment: unknown) =>
      refusal('CommandService.ExecuteCommand', { body: { command: 'ls', environment } });
    expect(execute({ A: 1 }).slice(0, 2)).toEqual(['VALIDATION_ERROR', 'environment.A']);
    expect(execute({ '': 'x' }).slice(0, 1)).toEqual(['VALIDATION_VALUE_TOO_SHORT']);
    expect(execute(JSON.parse('{"__proto__":"x"}')).slice(0, 1)).toEqual(['VALIDATION_INVALID_FORMAT']);
    const many = Object.fromEntries(Array.from({ length: 101 }, (_, n) => [`K${n}`, '']));
    expect(execute(many).slice(0, 2)).toEqual(['VALIDATION_VALUE_TOO_LONG', 'environment']);
  });
});

describe('cleared fields', () => {
  test('are those that came as null or as an empty list', () => {
    expect(update({ assigned_to: null, tags: [], description: null, title: 'x' })).toEqual({
      task_id: id,
      title: 'x',
      tags: [],
      cleared_fields: ['assigned_to', 'tags', 'description'],
    });
  });

  test('are none when all have values', () => {
    expect(update({ title: 'x', tags: ['a'] })).toMatchObject({ cleared_fields: [] });
  });
});

describe('a query', () => {
  test('becomes lists, numbers and texts with defaults', () => {
    const query = 'status=pending,running&status=failed&tags=a&priority=3&search=5&page=2';
    expect(read('TaskService.ListTasks', { query })).toEqual({
      status: ['pending', 'running', 'failed'],
      tags: ['a'],
      priority: 3,
      search: '5',
      page: 2,
      page_size: 50,
      sort: 'created_at',
      order: 'desc',
    });
  });

  test.each<[string, string, string]>([
    ['status[$ne]=pending', 'VALIDATION_ERROR', 'status[$ne]'],
    ['unknown=1', 'VALIDATION_ERROR', 'unknown'],
    ['page=1&page=2', 'VALIDATION_ERROR', 'page'],
    ['page=0', 'VALIDATION_ERROR', 'page'],
    ['page=1.5', 'VALIDATION_ERROR', 'page'],
    ['page=1e3', 'VALIDATION_ERROR', 'page'],
    ['page=', 'VALIDATION_ERROR', 'page'],
    ['page_size=101', 'VALIDATION_ERROR', 'page_size'],
    ['status=paused', 'VALIDATION_ERROR', 'status.0'],
    ['project_id=7', 'VALIDATION_INVALID_FORMAT', 'project_id'],
    ['created_after=yesterday', 'VALIDATION_INVALID_FORMAT', 'created_after'],
    ['created_after=2016-12-31T23:59:60Z', 'VALIDATION_INVALID_FORMAT', 'created_after'],
    ['created_after=2025-02-30T00:00:00Z', 'VALIDATION_INVALID_FORMAT', 'created_after'],
    ['created_after=0000-01-01T00:00:00Z', 'VALIDATION_INVALID_FORMAT', 'created_after'],
    ['cleared_fields=x', 'VALIDATION_ERROR', 'cleared_fields'],
    [`search=${'x'.repeat(501)}`, 'VALIDATION_VALUE_TOO_LONG', 'search'],
    ['search=%00', 'VALIDATION_INVALID_FORMAT', 'search'],
  ])('%s is refused', (query, code, field) => {
    expect(list(query)).toEqual([code, field, expect.any(String)]);
  });

  test('has path parameters checked like fields', () => {
    expect(refusal('TaskService.GetTask', { params: { task_id: 'x' } }).slice(0, 2)).toEqual([
      'VALIDATION_INVALID_FORMAT',
      'task_id',
    ]);
  });
});
