import type { CallOptions, Operation } from './operation.ts';

/** Makes calls. */
export interface Caller {
  call(
    operation: Operation,
    path: readonly string[],
    request: object | undefined,
    options: CallOptions | undefined,
  ): Promise<unknown>;
}

/** Pages are as large as the API allows when nothing else is asked for. */
const largestPage = 100;

/** What the classes of all resources share. */
export class Resource {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /** Call an endpoint. @param path values of its path fields, in order */
  protected async call<Answer>(
    operation: Operation,
    path: readonly string[],
    request?: object,
    options?: CallOptions,
  ): Promise<Answer> {
    return (await this.#caller.call(operation, path, request, options)) as Answer;
  }

  /** The entries of all pages of a list. */
  protected async *entries<Entry>(
    operation: Operation,
    path: readonly string[],
    request: object = {},
    options?: CallOptions,
  ): AsyncGenerator<Entry, void> {
    const { kind, entries: field } = operation.paging ?? { kind: 'page', entries: 'items' };
    const size = kind === 'page' ? 'pageSize' : 'limit';
    const asked = { [size]: largestPage, ...request };
    let position = kind === 'page' ? 1 : 0;
    for (;;) {
      const place = kind === 'page' ? { page: position } : { offset: position };
      const answer = await this.call<Record<string, unknown>>(operation, path, { ...asked, ...place }, options);
      const found = answer[field] as Entry[];
      yield* found;
      position += kind === 'page' ? 1 : found.length;
      const more = kind === 'page' ? answer.hasNext === true : position < Number(answer.total);
      if (!more || found.length === 0) return;
    }
  }
}
