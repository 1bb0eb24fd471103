import type {
  Project_Status,
  ProjectAccess_Role,
  Project as ProjectMessage,
  ProjectStatistics,
  ResourceLimits,
} from '@claude-cli/proto/platform/v1/projects';
import { type Caller, isAdmin } from '@claude-cli/shared/caller';
import { PlatformError } from '@claude-cli/shared/errors';
import type { AnyEvent, ProjectFacts } from '@claude-cli/shared/events';
import type { Aggregate } from '@claude-cli/shared/guarded-update';
import { defaultLimits } from '@claude-cli/shared/limits';
import { outboxIndex } from '@claude-cli/shared/outbox';
import { type Connection, type Model, Schema } from 'mongoose';

/** A user's part in a project. */
export interface Member {
  user_id: string;
  role: ProjectAccess_Role;
}

/** Bounds of a project, all of them set. */
export type Limits = Required<{ [Name in keyof ResourceLimits]: NonNullable<ResourceLimits[Name]> }>;

/** A stored project. */
export interface Project extends Aggregate<AnyEvent> {
  name: string;
  description: string;
  status: Project_Status;
  created_by: string;
  created_at: Date;
  settings: Record<string, unknown>;
  resource_limits: Limits;
  members: Member[];
  /** Words of name and description, for search, and the two texts as searches for phrases need them. */
  terms: string[];
  term_texts: Record<string, string>;
  /** The name as lists are sorted by it. */
  name_key: string;
  /** Only in a copy that is being made: when that began. Such a copy is marked as deleted, so that nobody sees it. */
  clone_started_at?: Date;
}

/** Projects. */
export type ProjectModel = Model<Project>;

const schema = new Schema<Project>(
  {
    _id: { type: String, required: true },
    name: { type: String, required: true },
    description: { type: String, default: '' },
    status: { type: String, required: true },
    created_by: { type: String, required: true },
    created_at: { type: Date, required: true },
    updated_at: { type: Date, required: true },
    settings: { type: Schema.Types.Mixed, required: true },
    resource_limits: { type: Schema.Types.Mixed, required: true },
    members: { type: [{ _id: false, user_id: String, role: String }], required: true },
    terms: { type: [String], required: true },
    term_texts: { type: Schema.Types.Mixed, required: true },
    name_key: { type: String, required: true },
    clone_started_at: { type: Date },
    version: { type: Number, required: true },
    deleted_at: { type: Date, default: null },
    deleted_by: { type: String, default: null },
    outbox: { type: [Schema.Types.Mixed], default: [] } as never,
  },
  { collection: 'projects', versionKey: false, minimize: false },
);
// Sorts end with _id, so that pages never overlap.
for (const field of ['created_at', 'updated_at', 'name_key']) {
  schema.index({ deleted_at: 1, [field]: -1, _id: -1 });
  schema.index({ 'members.user_id': 1, deleted_at: 1, [field]: -1, _id: -1 });
}
schema.index({ deleted_at: 1, status: 1, created_at: -1, _id: -1 });
schema.index({ created_by: 1, deleted_at: 1, created_at: -1, _id: -1 });
schema.index({ terms: 1, deleted_at: 1 });
schema.index({ clone_started_at: 1 }, { sparse: true });
schema.index(...outboxIndex);

/** The projects of a database. */
export function projectModel(connection: Connection): ProjectModel {
  return connection.model<Project>('Project', schema);
}

/** Bounds as given, with the installation's defaults for the rest. */
export function withDefaultLimits(given: ResourceLimits | undefined): Limits {
  return {
    max_tasks: given?.max_tasks ?? defaultLimits.max_tasks,
    max_concurrent_tasks: given?.max_concurrent_tasks ?? defaultLimits.max_concurrent_tasks,
    storage_limit: given?.storage_limit ?? defaultLimits.storage_limit,
  };
}

/** The error for a project that is not there. */
export function projectNotFound(project_id: string): PlatformError {
  return new PlatformError('PROJECT_NOT_FOUND', 'The project does not exist', { project_id });
}

/** The caller's part in a project. @throws PlatformError PROJECT_ACCESS_DENIED for outsiders */
export function roleIn(project: Pick<Project, '_id' | 'members'>, caller: Caller): ProjectAccess_Role {
  if (isAdmin(caller)) return 'owner';
  const member = project.members.find(({ user_id }) => user_id === caller.user_id);
  if (member) return member.role;
  throw new PlatformError('PROJECT_ACCESS_DENIED', 'You have no access to this project', { project_id: project._id });
}

/** Refuse a caller whose part in the project is not among those allowed. @throws PlatformError PROJECT_ACCESS_DENIED */
export function requireRole(project: Pick<Project, '_id' | 'members'>, caller: Caller, allowed: ProjectAccess_Role[]) {
  const role = roleIn(project, caller);
  if (allowed.includes(role)) return;
  const details = { project_id: project._id, role, required: allowed };
  throw new PlatformError('PROJECT_ACCESS_DENIED', 'Your role in this project does not allow this', details);
}

/** Refuse to change what is in the archive. @throws PlatformError PROJECT_ARCHIVED */
export function refuseArchived({ _id: project_id, status }: Pick<Project, '_id' | 'status'>): void {
  if (status !== 'archived') return;
  throw new PlatformError('PROJECT_ARCHIVED', 'The project is archived and read-only', { project_id });
}

/** What events tell about a project. */
export function factsOf(project: Pick<Project, 'name' | 'status' | 'members'>): ProjectFacts {
  const { name, status, members } = project;
  return { name, status, member_ids: members.map(({ user_id }) => user_id) };
}

/** Counts of a project without tasks. */
export const noTasks: ProjectStatistics = { total_tasks: 0, completed_tasks: 0, pending_tasks: 0, running_tasks: 0 };

/** Fields that {@link toProto} shows. */
export const shownFields = [
  '_id',
  'name',
  'description',
  'status',
  'created_by',
  'created_at',
  'updated_at',
  'settings',
  'resource_limits',
] as const satisfies (keyof Project)[];

/** A project as the contract shows it. */
export function toProto(
  project: Pick<Project, (typeof shownFields)[number]>,
  statistics: ProjectStatistics,
): ProjectMessage {
  const { total_tasks, completed_tasks, pending_tasks, running_tasks } = statistics;
  return {
    id: project._id,
    name: project.name,
    description: project.description,
    status: project.status,
    created_by: project.created_by,
    created_at: project.created_at.toISOString(),
    updated_at: project.updated_at.toISOString(),
    settings: project.settings,
    resource_limits: project.resource_limits,
    statistics: { total_tasks, completed_tasks, pending_tasks, running_tasks },
  };
}
