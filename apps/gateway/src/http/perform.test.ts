import { PlatformError } from '@claude-cli/shared/errors';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { anId, ask, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let gateway: TestGateway;
beforeEach(async () => {
  gateway = await startTestGateway();
});
afterEach(async () => gateway[Symbol.asyncDispose]());

const body = { title: 'Write', project_id: anId };

describe('a request with an Idempotency-Key', () => {
  interface Kept {
    fingerprint: unknown;
    attempt: unknown;
    answer?: unknown;
    status?: unknown;
  }
  const kept = new Map<unknown, Kept>();
  let created: number;

  beforeEach(() => {
    kept.clear();
    created = 0;
    gateway.answers.set('IdempotencyService.beginRequest', ({ key, fingerprint, attempt_id: attempt }) => {
      const known = kept.get(key);
      if (!known) kept.set(key, { fingerprint, attempt });
      if (!known) return { verdict: 'begun' };
      if (known.fingerprint !== fingerprint) return { verdict: 'other_request' };
      return known.answer
        ? { verdict: 'answered', status: known.status, answer: known.answer }
        : { verdict: 'in_progress' };
    });
    gateway.answers.set('IdempotencyService.finishRequest', ({ key, attempt_id, status, answer }) => {
      const known = kept.get(key) ?? { attempt: undefined };
      if (known.attempt === attempt_id) Object.assign(known, { status, answer });
    });
    gateway.answers.set('IdempotencyService.abandonRequest', ({ key }) => void kept.delete(key));
    gateway.answers.set('TaskService.createTask', (request) => ({ ...request, id: anId, description: `${++created}` }));
  });
  const create = (key: string, sent: object = body) =>
    ask(gateway, 'POST', '/api/tasks/', { body: sent, headers: { 'idempotency-key': key } });

  test('is done once, and its answer is repeated', async () => {
    const first = await create('one');
    const second = await create('one', { project_id: anId, title: 'Write' });
    expect([first.status, second.status, created]).toEqual([201, 201, 1]);
    expect(second.json).toEqual(first.json);
    expect([first, second].map(({ headers }) => headers.get('idempotency-replayed'))).toEqual([null, 'true']);
    expect((await create('two')).json.data.description).toBe('2');
    // What is kept elsewhere cannot be read there.
    expect(Buffer.from(kept.get('one')?.answer as Uint8Array).toString('latin1')).not.toContain('Write');
  });

  test('is refused when the key belongs to another one, or when it is still being done', async () => {
    await create('one');
    const other = await create('one', { ...body, title: 'Read' });
    expect([other.status, other.json.error.code]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
    kept.set('busy', { fingerprint: kept.get('one')?.fingerprint, attempt: 'somebody' });
    const busy = await create('busy');
    expect([busy.status, busy.json.error.code]).toEqual([409, 'IDEMPOTENCY_KEY_IN_USE']);
    expect(busy.headers.get('retry-after')).toBe('1');
    expect(created).toBe(1);
  });

  test('keeps a refusal of the service, but nothing when nothing was done', async () => {
    const fail = (error: PlatformError) =>
      gateway.answers.set('TaskService.createTask', () => {
        created++;
        throw error;
      });
    fail(new PlatformError('PROJECT_NOT_FOUND', 'The project does not exist'));
    expect((await create('one')).status).toBe(404);
    expect((await create('one')).json.error.code).toBe('PROJECT_NOT_FOUND');
    expect(created).toBe(1);
    fail(new PlatformError('QUEUE_FULL', 'The queue is full'));
    await create('two');
    await create('two');
    expect(created).toBe(3);
  });

  test('is begun again when it was not answered in time, unless that could do it twice', async () => {
    const abandoned: unknown[] = [];
    gateway.answers.set('IdempotencyService.abandonRequest', (request) => {
      abandoned.push(request.may_be_done);
      kept.delete(request.key);
    });
    const late = () => {
      created++;
      throw new PlatformError('UPSTREAM_ERROR', 'TaskService did not answer in time');
    };
    gateway.answers.set('TaskService.createTask', late);
    expect((await create('one')).status).toBe(502);
    expect((await create('one')).status).toBe(502);
    expect([abandoned, created]).toEqual([[true, true], 2]);

    gateway.answers.set('ProjectService.cloneProject', late);
    const headers = { 'idempotency-key': 'clone' };
    const clone = () => ask(gateway, 'POST', `/api/projects/${anId}/clone`, { body: { name: 'Copy' }, headers });
    expect((await clone()).status).toBe(502);
    expect((await clone()).headers.get('idempotency-replayed')).toBe('true');
    expect([abandoned.length, created]).toEqual([2, 3]);
  });

  test.each(['', 'x'.repeat(256), 'with blanks', 'ünsichtbar'])('is refused when the key is none: %s', async (key) => {
    const headers = { 'idempotency-key': Buffer.from(key).toString('latin1') };
    const { status, json } = await ask(gateway, 'POST', '/api/tasks/', { body, headers });
    expect([status, json.error.details.field]).toEqual([422, 'Idempotency-Key']);
    expect(created).toBe(0);
  });
});

describe('a request in a session', () => {
  const headers = { 'x-session-id': anId };
  const recorded = () => gateway.calls.find(({ rpc }) => rpc === 'SessionService.recordActivity')?.request;

  test('is told to the history of the session with what it named and made', async () => {
    gateway.answers.set('TaskService.createTask', (request) => ({ ...request, id: anId, created_by: 'somebody' }));
    expect((await ask(gateway, 'POST', '/api/tasks/', { body, headers })).status).toBe(201);
    expect(recorded()).toEqual({
      session_id: anId,
      action: 'request',
      request: 'POST /api/tasks/',
      status: 201,
      details: { project_id: anId, id: anId },
    });
  });

  test('that was refused is told with the code', async () => {
    gateway.answers.set('TaskService.getTask', () => {
      throw new PlatformError('TASK_NOT_FOUND', 'The task does not exist');
    });
    expect((await ask(gateway, 'GET', `/api/tasks/${anId}`, { headers })).status).toBe(404);
    expect(recorded()).toMatchObject({ status: 404, details: { task_id: anId, code: 'TASK_NOT_FOUND' } });
  });

  test('that is over, or somebody else’s, is refused before anything is done', async () => {
    gateway.answers.set('SessionService.touchSession', () => {
      throw new PlatformError('RESOURCE_NOT_FOUND', 'The session does not exist');
    });
    expect((await ask(gateway, 'POST', '/api/tasks/', { body, headers })).status).toBe(404);
    expect(gateway.calls.map(({ rpc }) => rpc)).toEqual(['SessionService.touchSession']);
  });

  test('is answered although its history cannot be written', async () => {
    gateway.answers.set('SessionService.recordActivity', () => {
      throw new PlatformError('DATABASE_ERROR', 'A database operation failed');
    });
    expect((await ask(gateway, 'GET', `/api/tasks/${anId}`, { headers })).status).toBe(200);
  });
});

describe('a maintenance', () => {
  const soon = () => new Date(Date.now() + 30_000).toISOString();
  const start = async (maintenance: object) => {
    gateway.answers.set('MaintenanceService.startMaintenance', () => maintenance);
    gateway.answers.set('MaintenanceService.getMaintenance', () => maintenance);
    expect((await ask(gateway, 'POST', '/api/system/maintenance', { body: {} })).status).toBe(200);
  };

  test('refuses writes from the moment at which it was started, with the time of its end', async () => {
    await start({ status: 'active', message: 'New disks', ends_at: soon() });
    const { status, headers, json } = await ask(gateway, 'POST', '/api/tasks/', { body });
    expect([status, json.error.code, json.error.message]).toEqual([503, 'SYSTEM_MAINTENANCE', 'New disks']);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(25);
    expect((await ask(gateway, 'PUT', `/api/tasks/${anId}`, { body: {} })).status).toBe(503);
    expect((await ask(gateway, 'DELETE', `/api/tasks/${anId}`)).status).toBe(503);
    expect((await ask(gateway, 'GET', '/api/tasks/')).status).toBe(200);
    expect((await ask(gateway, 'POST', '/api/auth/login', { body: { username: 'a', password: 'b' } })).status).toBe(
      200,
    );
    gateway.answers.set('MaintenanceService.getMaintenance', () => ({ status: 'none' }));
    expect((await ask(gateway, 'DELETE', '/api/system/maintenance')).status).toBe(200);
    expect((await ask(gateway, 'POST', '/api/tasks/', { body })).status).toBe(201);
  });

  test('that is announced refuses nothing before its time', async () => {
    await start({ status: 'announced', starts_at: soon() });
    expect((await ask(gateway, 'POST', '/api/tasks/', { body })).status).toBe(201);
    await start({ status: 'announced', starts_at: new Date(Date.now() - 1).toISOString() });
    expect((await ask(gateway, 'POST', '/api/tasks/', { body })).status).toBe(503);
  });

  test('that was started elsewhere is noticed within seconds', async () => {
    await using _watching = gateway.maintenance.start();
    gateway.answers.set('MaintenanceService.getMaintenance', () => ({ status: 'active' }));
    const until = Date.now() + 5_000;
    let status = 0;
    while (status !== 503 && Date.now() < until) status = (await ask(gateway, 'POST', '/api/tasks/', { body })).status;
    expect(status).toBe(503);
  });
});
