import type { TestPlatform } from './platform.ts';
import type { Placeholders } from './readme.ts';
import { createProject, createTask } from './tasks.ts';

/** What somebody who follows the README has: a project, a session and a task of their own. */
export async function readersValues({ admin, platform }: TestPlatform): Promise<Placeholders> {
  const projectId = await createProject(admin);
  const session = await admin.call<{ session_id: string; user_id: string }>('POST', '/api/sessions/', {});
  return {
    url: platform.url,
    token: String(admin.token),
    projectId,
    userId: session.user_id,
    sessionId: session.session_id,
    taskId: await createTask(admin, projectId, 'echo done'),
  };
}
