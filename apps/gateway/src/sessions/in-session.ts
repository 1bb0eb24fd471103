import { SessionServiceService } from '@claude-cli/proto/platform/v1/sessions';
import type { Caller } from '@claude-cli/shared/caller';
import type { RpcChannel, RpcClient } from '@claude-cli/shared/grpc/client';
import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import { isId } from '@claude-cli/shared/ids';
import type { Logger } from '@claude-cli/shared/logger';
import type { Request } from 'express';
import { invalid } from '../contract/validator.ts';
import type { Operation } from '../http/operations.ts';
import type { Reply } from '../http/reply.ts';

const recordWithinMs = 2_000;

/** Requests that name a session by X-Session-ID: checked before, and told to the session's history after. */
export class InSession {
  readonly #sessions: RpcClient<typeof SessionServiceService>;
  readonly #log: Logger;

  constructor(projectService: RpcChannel, log: Logger) {
    this.#sessions = projectService.client(SessionServiceService);
    this.#log = log;
  }

  /** The caller, in the session that the request names. @throws PlatformError VALIDATION_INVALID_FORMAT */
  callerIn(request: Request, caller: Caller): Caller {
    const session_id = request.headers['x-session-id'];
    if (session_id === undefined) return caller;
    if (!isId(session_id)) throw invalid('X-Session-ID', 'must be a UUID', 'VALIDATION_INVALID_FORMAT');
    return { ...caller, session_id: session_id.toLowerCase() };
  }

  /**
   * Do a request in the caller's session, if it names one. Counts as an access of the session.
   * @throws PlatformError RESOURCE_NOT_FOUND when the session is expired, closed or not the caller's
   */
  async perform(operation: Operation, message: object, origin: Origin, run: () => Promise<Reply>): Promise<Reply> {
    const { session_id } = origin.caller;
    if (session_id === undefined) return run();
    await this.#sessions.touchSession({ session_id }, origin);
    const reply = await run();
    const entry = {
      session_id,
      action: 'request',
      request: `${operation.method} ${operation.path}`,
      status: reply.status,
      details: detailsOf(message, reply),
    };
    // The caller's deadline may be over by now; what happened belongs into the history all the same.
    const ours = { caller: origin.caller, requestId: origin.requestId };
    await this.#sessions
      .recordActivity(entry, ours, { deadlineMs: recordWithinMs })
      .catch((err) => this.#log.warn({ err, request_id: origin.requestId }, 'a request is missing in its session'));
    return reply;
  }
}

/** Ids that a request names or its answer made, and the code of an error. */
function detailsOf(message: object, { text, error }: Reply): Record<string, string> {
  if (error) return { ...idsOf(message), code: error.code };
  return { ...idsOf(message), ...idsOf(JSON.parse(text).data) };
}

function idsOf(value: object): Record<string, string> {
  return Object.fromEntries(Object.entries(value).filter(([name, id]) => /^(.+_)?id$/.test(name) && isId(id)));
}
