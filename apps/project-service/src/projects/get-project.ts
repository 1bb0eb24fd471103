import type { GetProjectRequest, ProjectDetail } from '@claude-cli/proto/platform/v1/projects';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { findProject } from './find-project.ts';
import { noTasks, toProto } from './project.ts';

/** One project with statistics and recent activity. */
export async function getProject(ctx: Context, { project_id }: GetProjectRequest, call: Call): Promise<ProjectDetail> {
  const [project, { statistics }, { activity }] = await Promise.all([
    findProject(ctx, project_id, call),
    ctx.tasks.getProjectStatistics({ project_ids: [project_id] }, call),
    ctx.tasks.getProjectActivity({ project_id }, call),
  ]);
  const counted = statistics[project_id] ?? { ...noTasks, failed_tasks: 0, completion_rate: 0 };
  return { ...toProto(project, counted), statistics: counted, recent_activity: activity };
}
