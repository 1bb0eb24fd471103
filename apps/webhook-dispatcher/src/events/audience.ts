import { ProjectServiceService } from '@claude-cli/proto/platform/v1/projects';
import type { Accounts } from '@claude-cli/shared/accounts';
import { type Role, serviceCaller } from '@claude-cli/shared/caller';
import { PlatformError } from '@claude-cli/shared/errors';
import type { AnyEvent } from '@claude-cli/shared/events';
import type { RpcChannel, RpcClient } from '@claude-cli/shared/grpc/client';
import { newId } from '@claude-cli/shared/ids';
import { inParallel } from '@claude-cli/shared/in-parallel';
import { Recent } from '@claude-cli/shared/recent';
import { type DeliverableEvent, entryOf } from '@claude-cli/shared/webhooks/catalog';

/** Questions to project-service that are under way at once for one batch of events. */
const width = 20;
/** How long the members of a project are known without asking again, in milliseconds; events drop them sooner. */
const membersMs = 5_000;
/** How long somebody is taken for no admin without asking again, in milliseconds. */
const outsiderMs = 30_000;

/** Who is a member of a project, and whether as its owner. */
type Members = ReadonlyMap<string, { isOwner: boolean }>;

const nobody: Members = new Map();

/** Whether somebody may know of an event. */
export type MayKnow = (event: DeliverableEvent, user_id: string) => boolean;

/**
 * Who may, as things are now, know of events: of those of a project its members, of those of a webhook who manages it, of those of
 * the system admins, and admins of all. Asked once per project and user however many webhooks there are, and remembered for seconds.
 */
export class Audience {
  readonly #projects: RpcClient<typeof ProjectServiceService>;
  readonly #accounts: Accounts;
  readonly #members = new Recent<Members>({ freshMs: membersMs, usableMs: membersMs, max: 2_000 });
  readonly #outsiders = new Recent<true>({ freshMs: outsiderMs, usableMs: outsiderMs, max: 50_000 });

  constructor(projectService: RpcChannel, accounts: Accounts) {
    this.#projects = projectService.client(ProjectServiceService);
    this.#accounts = accounts;
  }

  /**
   * Find out all that is needed to tell who of some users may know of some events.
   * @throws PlatformError when that cannot be known, since project-service is away
   */
  async of(events: readonly DeliverableEvent[], user_ids: ReadonlySet<string>): Promise<MayKnow> {
    const projects = [...new Set(events.flatMap((event) => projectToAsk(event) ?? []))];
    const found = await inParallel(projects, width, (project_id) =>
      this.#members.get(project_id, () => this.#askMembers(project_id)),
    );
    const members = new Map(projects.map((project_id, n) => [project_id, found[n] ?? nobody]));
    const isConcerned: MayKnow = (event, user_id) => concerns(event, user_id, members);
    // Most owners of webhooks have nothing to do with most events; only whether they are admins is to be known of them.
    const asked = [...user_ids].filter(
      (user_id) => !this.#outsiders.has(user_id) || events.some((event) => isConcerned(event, user_id)),
    );
    const roles = await inParallel(asked, width, (user_id) => this.#roleOf(user_id));
    const roleOf = new Map(asked.map((user_id, n) => [user_id, roles[n]]));
    return (event, user_id) => {
      const role = roleOf.get(user_id);
      return role === 'admin' || (role !== undefined && isConcerned(event, user_id));
    };
  }

  /** Forget what an event makes untrue. */
  forget({ type, project_id }: Pick<AnyEvent, 'type' | 'project_id'>): void {
    if (type.startsWith('project.') && project_id !== null) this.#members.delete(project_id);
  }

  /** Nobody is a member of a project that is not there. */
  async #askMembers(project_id: string): Promise<Members> {
    const origin = { caller: serviceCaller('webhook-dispatcher'), requestId: newId() };
    try {
      const { members } = await this.#projects.listMembers({ project_id }, origin);
      return new Map(members.map(({ user_id, role }) => [user_id, { isOwner: role === 'owner' }]));
    } catch (thrown) {
      if (PlatformError.from(thrown).code === 'PROJECT_NOT_FOUND') return nobody;
      throw thrown;
    }
  }

  /** The role that an account has now; undefined when it may do nothing. */
  async #roleOf(user_id: string): Promise<Role | undefined> {
    const role = await this.#accounts.roleOf({ user_id, role: 'viewer', permissions: [] }, newId()).catch((thrown) => {
      if (PlatformError.from(thrown).code.startsWith('AUTH_')) return undefined;
      throw thrown;
    });
    if (role !== 'admin') this.#outsiders.set(user_id, true, 0);
    return role;
  }
}

/** The project whose members an event concerns, where the event itself does not say whom it concerns. */
function projectToAsk(event: DeliverableEvent): string | undefined {
  if (entryOf(event.type).adminOnly || 'member_ids' in event.data) return undefined;
  return event.project_id ?? undefined;
}

/** Whether an event concerns somebody who is no admin. */
function concerns(event: DeliverableEvent, user_id: string, members: ReadonlyMap<string, Members>): boolean {
  if (entryOf(event.type).adminOnly) return false;
  if ('owner_id' in event.data && event.data.owner_id === user_id) return true;
  if (event.project_id === null) return false;
  // Of a project that is deleted nobody can be asked who may see it; its event says who might.
  if ('member_ids' in event.data) return event.data.member_ids.includes(user_id);
  const member = members.get(event.project_id)?.get(user_id);
  // Webhooks are managed by owners, and not there for others.
  return member !== undefined && (member.isOwner || !('webhook_id' in event.data));
}
