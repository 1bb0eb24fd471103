import type {
  CloneProjectRequest,
  Project as ProjectMessage,
  ProjectStatistics,
} from '@claude-cli/proto/platform/v1/projects';
import { PlatformError } from '@claude-cli/shared/errors';
import { newEvent } from '@claude-cli/shared/events';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { discardClone } from './discard-clones.ts';
import { findProject } from './find-project.ts';
import { newProject } from './new-project.ts';
import { factsOf, noTasks, type Project, toProto, withDefaultLimits } from './project.ts';

/** How long the copying of tasks may take, in milliseconds: less than the endpoint's deadline. */
const copyDeadlineMs = 25_000;

/** A copy that nobody sees yet. */
type HiddenCopy = Project & Required<Pick<Project, 'clone_started_at'>>;

/**
 * Copy a project that the caller may see. The copy is stored hidden, filled, and shown in one update; whatever dies in
 * between leaves a hidden copy, which the sweep of discard-clones.ts finds.
 */
export async function cloneProject(ctx: Context, request: CloneProjectRequest, call: Call): Promise<ProjectMessage> {
  const { include_tasks = false } = request;
  const source = await findProject(ctx, request.project_id, call);
  const copy = hiddenCopy(source, request, call.caller.user_id);
  if (include_tasks) requireSpace(copy, await countTasks(ctx, source._id, call));
  await ctx.projects.create(copy);
  try {
    const statistics = include_tasks ? await copyTasks(ctx, source, copy, call) : noTasks;
    return toProto(await show(ctx, copy, call), statistics);
  } catch (thrown) {
    // Without an answer the copying may be going on, so that tasks would come after the removal: that is left to the sweep.
    if (!isUnanswered(thrown)) {
      await discardClone(ctx, copy).catch((err) =>
        call.log.warn({ err, project_id: copy._id }, 'a copy is left hidden'),
      );
    }
    throw thrown;
  }
}

function hiddenCopy(source: Project, request: CloneProjectRequest, user_id: string): HiddenCopy {
  const { include_settings = true } = request;
  const project = newProject({
    name: request.name,
    description: source.description,
    settings: include_settings ? source.settings : {},
    resource_limits: include_settings ? source.resource_limits : withDefaultLimits(undefined),
    created_by: user_id,
  });
  const { created_at } = project;
  return { ...project, version: 0, deleted_at: created_at, deleted_by: user_id, clone_started_at: created_at };
}

async function copyTasks(ctx: Context, source: Project, copy: Project, call: Call): Promise<ProjectStatistics> {
  const ids = { from_project_id: source._id, to_project_id: copy._id };
  await ctx.tasks.cloneTasks(ids, call, { deadlineMs: copyDeadlineMs });
  const statistics = await countTasks(ctx, copy._id, call);
  requireSpace(copy, statistics);
  return statistics;
}

async function countTasks(ctx: Context, project_id: string, call: Call): Promise<ProjectStatistics> {
  const { statistics } = await ctx.tasks.getProjectStatistics({ project_ids: [project_id] }, call);
  return statistics[project_id] ?? noTasks;
}

function requireSpace({ resource_limits }: Project, { total_tasks }: ProjectStatistics): void {
  const { max_tasks } = resource_limits;
  if (total_tasks <= max_tasks) return;
  throw new PlatformError('PROJECT_LIMIT_EXCEEDED', 'The copy may not hold as many tasks', { max_tasks, total_tasks });
}

/** Let the copy be seen, and tell that it is there. */
async function show(ctx: Context, copy: HiddenCopy, { caller }: Call): Promise<Project> {
  const { user_id, session_id } = caller;
  const about = { actor: user_id, project_id: copy._id, version: 1, session_id };
  const shown = await ctx.projects
    .findOneAndUpdate(
      { _id: copy._id, version: copy.version, clone_started_at: copy.clone_started_at },
      {
        $set: { deleted_at: null, deleted_by: null, updated_at: new Date() },
        $unset: { clone_started_at: 1 },
        $inc: { version: 1 },
        $push: { outbox: newEvent('project.created', about, factsOf(copy)) },
      },
      { returnDocument: 'after' },
    )
    .lean();
  if (!shown) throw new PlatformError('UPSTREAM_ERROR', 'Copying took too long and was given up');
  void ctx.projectOutbox.flush(shown);
  return shown;
}

function isUnanswered(thrown: unknown): boolean {
  const { code } = PlatformError.from(thrown);
  return code === 'UPSTREAM_ERROR' || code === 'SERVICE_UNAVAILABLE';
}
