import { PlatformError } from '@claude-cli/shared/errors';
import { metrics } from '@claude-cli/shared/telemetry/metrics';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { anId, ask, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(async () => gateway[Symbol.asyncDispose]());
beforeEach(() => gateway.reset());

describe('an error of a service', () => {
  const fail = (error: unknown) =>
    gateway.answers.set('TaskService.getTask', () => {
      throw error;
    });

  test('comes with its code, message, details and status', async () => {
    fail(new PlatformError('TASK_NOT_FOUND', 'There is no such task', { task_id: anId }));
    const { status, json } = await ask(gateway, 'GET', `/api/tasks/${anId}`);
    expect(status).toBe(404);
    expect(json.error).toEqual({
      code: 'TASK_NOT_FOUND',
      message: 'There is no such task',
      details: { task_id: anId },
    });
  });

  test('that is unexpected keeps what lies behind it to itself', async () => {
    fail(new Error('password of the database'));
    const { status, json } = await ask(gateway, 'GET', `/api/tasks/${anId}`);
    expect([status, json.error.code, json.error.details]).toEqual([500, 'INTERNAL_SERVER_ERROR', {}]);
    expect(JSON.stringify(json)).not.toContain('password');
  });

  test('that passes says when to come again', async () => {
    fail(new PlatformError('QUEUE_FULL', 'The queue is full'));
    const { status, headers } = await ask(gateway, 'GET', `/api/tasks/${anId}`);
    expect([status, headers.get('retry-after')]).toEqual([503, '1']);
    fail(new PlatformError('RATE_LIMIT_EXCEEDED', 'x', { reset_at: new Date(Date.now() + 29_500).toISOString() }));
    expect((await ask(gateway, 'GET', `/api/tasks/${anId}`)).headers.get('retry-after')).toBe('30');
  });
});

test('requests are measured by route, method and status', async () => {
  await ask(gateway, 'GET', `/api/tasks/${anId}`);
  await ask(gateway, 'GET', '/api/nothing/at/all');
  // A request is measured when its answer is through, which the caller may know first.
  const text = await until('both are measured', async () => {
    const now = await metrics.metrics();
    return /route="none",status="404"/.test(now) && /^http_requests_in_flight 0$/m.test(now) && now;
  });
  expect(text).toMatch(
    /http_request_duration_seconds_count{method="GET",route="\/api\/tasks\/{task_id}",status="200"} \d/,
  );
  expect(text).toMatch(/http_request_duration_seconds_count{method="GET",route="none",status="404"} \d/);
});

describe('the log', () => {
  const faults = () =>
    gateway
      .logged()
      .split('\n')
      .filter((line) => line.includes('"level":50'));

  test('has a fault of ours once, with its stack and the request, and one of a service not again', async () => {
    // gRPC cannot encode this, and says so without any of our codes.
    gateway.answers.set('TaskService.getTask', () => ({ created_at: 'not a time' }));
    const headers = { 'x-request-id': 'faulty-1' };
    const { status, json } = await ask(gateway, 'GET', `/api/tasks/${anId}`, { headers });
    expect([status, json.error.code, json.error.details]).toEqual([500, 'INTERNAL_SERVER_ERROR', {}]);
    const [line, ...others] = faults().filter((line) => line.includes('faulty-1'));
    expect(JSON.parse(line ?? '{}')).toMatchObject({
      msg: 'request failed',
      err: { stack: expect.stringMatching(/ at /) },
    });
    expect(others).toEqual([]);
    const before = faults().length;
    gateway.answers.set('TaskService.getTask', () => {
      throw new Error('logged by the service');
    });
    expect((await ask(gateway, 'GET', `/api/tasks/${anId}`)).status).toBe(500);
    expect(faults()).toHaveLength(before);
  });

  test('names each request with its route, and never a token or a body', async () => {
    const headers = { 'x-request-id': 'logged-1' };
    await ask(gateway, 'POST', '/api/auth/login', { headers, body: { username: 'a', password: 'hunter2', x: 1 } });
    await ask(gateway, 'POST', '/api/auth/login', { headers, body: '{"password":"hunter2"' });
    await ask(gateway, 'GET', `/api/tasks/${anId}`, { headers });
    const line = /"request_id":"logged-1","method":"GET","route":"\/api\/tasks\/{task_id}","status":200/;
    await until('the last of them is logged', () => line.test(gateway.logged()));
    expect(gateway.logged()).not.toMatch(/hunter2|Bearer|eyJ/);
  });
});
