import { expect } from '@jest/globals';
import { startTestPlatform, type TestPlatform } from '../support/platform.ts';
import { lacksOf } from '../support/shape.ts';

/** A moment, for examples. */
export const time = '2025-07-30T14:00:00Z';

/** Something with an id. */
export interface Entity {
  id: string;
}

/** A page of a list. */
export interface Page {
  items: Entity[];
  total: number;
}

/** A platform of which everything is asked that the API reference shows, by the first account. */
export class Reference implements AsyncDisposable {
  readonly running: TestPlatform;
  /** Id of the first account. */
  readonly me: string;
  /** A project to work in. */
  readonly projectId: string;

  private constructor(running: TestPlatform, me: string, projectId: string) {
    this.running = running;
    this.me = me;
    this.projectId = projectId;
  }

  static async start(): Promise<Reference> {
    await using stack = new AsyncDisposableStack();
    const running = stack.use(await startTestPlatform());
    const { id: me } = await running.admin.call<Entity>('GET', '/api/users/profile');
    const { id: projectId } = await running.admin.call<Entity>('POST', '/api/projects/', { name: 'Reference' });
    stack.move();
    return new Reference(running, me, projectId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.running[Symbol.asyncDispose]();
  }

  /** The data of a successful answer. */
  call<T>(method: string, path: string, body?: unknown): Promise<T> {
    return this.running.admin.call<T>(method, path, body);
  }

  /** An answer, whatever it is. */
  send(method: string, path: string, body?: unknown) {
    return this.running.admin.request(method, path, body);
  }

  /** A new task in the project. */
  newTask(title: string, given: object = {}): Promise<Entity> {
    return this.call<Entity>('POST', '/api/tasks/', { title, project_id: this.projectId, ...given });
  }

  /** Send a request of the reference and compare the answer with the example that it shows. */
  async shows<T>(method: string, path: string, body: unknown, status: number, example: object): Promise<T> {
    const answer = await this.send(method, path, body);
    const seen = { method, path, status: answer.status, error: answer.body.error };
    expect(seen).toEqual({ method, path, status, error: null });
    expect(lacksOf(answer.body.data, example)).toEqual([]);
    return answer.body.data as T;
  }
}
