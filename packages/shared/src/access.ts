import { type ProjectAccess, ProjectServiceService } from '@claude-cli/proto/platform/v1/projects';
import { LRUCache } from 'lru-cache';
import { PlatformError } from './errors.ts';
import type { AnyEvent } from './events.ts';
import type { RpcChannel, RpcClient } from './grpc/client.ts';
import type { Origin } from './grpc/interceptor.ts';

/** How long an answer is used, in milliseconds; events drop it sooner. */
const freshMs = 5_000;

/** What callers may do in projects, asked of project-service and remembered for seconds. */
export class ProjectAccessCache {
  readonly #projects: RpcClient<typeof ProjectServiceService>;
  readonly #answers = new LRUCache<string, Promise<ProjectAccess>>({ max: 10_000, ttl: freshMs });

  constructor(projectService: RpcChannel) {
    this.#projects = projectService.client(ProjectServiceService);
  }

  /**
   * What the caller may do in a project.
   * @throws PlatformError PROJECT_NOT_FOUND, PROJECT_ACCESS_DENIED
   */
  check(projectId: string, origin: Origin): Promise<ProjectAccess> {
    const key = `${projectId} ${origin.caller.user_id} ${origin.caller.role}`;
    const known = this.#answers.get(key);
    if (known) return known;
    // Others may wait for the same answer, so it does not end with this caller's request.
    const asked = this.#projects.checkAccess(
      { project_id: projectId },
      { caller: origin.caller, requestId: origin.requestId },
    );
    this.#answers.set(key, asked);
    asked.catch(() => this.#answers.delete(key));
    return asked;
  }

  /**
   * The same, for a change inside the project.
   * @throws PlatformError PROJECT_ARCHIVED, and PROJECT_ACCESS_DENIED for viewers
   */
  async checkWrite(projectId: string, origin: Origin): Promise<ProjectAccess> {
    const access = await this.check(projectId, origin);
    if (access.role === 'viewer') {
      throw new PlatformError('PROJECT_ACCESS_DENIED', 'Only viewing is allowed in this project', {
        project_id: projectId,
      });
    }
    if (access.status === 'archived') {
      throw new PlatformError('PROJECT_ARCHIVED', 'The project is archived and read-only', { project_id: projectId });
    }
    return access;
  }

  /** Which projects the caller may see: undefined for all. Not remembered. */
  async visibleProjects(origin: Origin): Promise<string[] | undefined> {
    const { all, project_ids } = await this.#projects.listAccessibleProjects({}, origin);
    return all ? undefined : project_ids;
  }

  /** Forget what an event makes untrue. */
  forget(event: Pick<AnyEvent, 'type' | 'project_id'>): void {
    if (!event.type.startsWith('project.')) return;
    for (const key of this.#answers.keys()) if (key.startsWith(`${event.project_id} `)) this.#answers.delete(key);
  }
}
