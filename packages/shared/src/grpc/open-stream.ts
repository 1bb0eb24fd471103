import { once } from 'node:events';
import type { ClientReadableStream, ServiceError } from '@grpc/grpc-js';

/**
 * The messages of a call that answers with a stream, once the service has accepted it. Who stops reading cancels the call.
 * @param beginMs longest wait for the service to accept it, in milliseconds
 * @param explain makes what failed an error of ours, when reading; until the service accepts, failures come as they are
 */
export async function openStream(
  call: ClientReadableStream<unknown>,
  beginMs: number,
  signal: AbortSignal | undefined,
  explain: (error: ServiceError) => Error,
): Promise<AsyncIterable<unknown>> {
  // It may fail before anybody begins to read.
  let failure: ServiceError | undefined;
  call.on('error', (error: ServiceError) => {
    failure = error;
  });
  const cancel = () => call.cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  if (signal?.aborted) cancel();
  const tooLate = setTimeout(cancel, beginMs);
  try {
    await once(call, 'metadata');
  } catch (thrown) {
    signal?.removeEventListener('abort', cancel);
    throw thrown;
  } finally {
    clearTimeout(tooLate);
  }
  return read();

  async function* read(): AsyncGenerator<unknown> {
    try {
      yield* call;
      if (failure) throw failure;
    } catch (thrown) {
      throw explain(thrown as ServiceError);
    } finally {
      signal?.removeEventListener('abort', cancel);
      cancel();
    }
  }
}
