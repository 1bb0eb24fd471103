import { AuthServiceService } from '@claude-cli/proto/platform/v1/auth';
import { ProjectServiceService } from '@claude-cli/proto/platform/v1/projects';
import { SessionServiceService } from '@claude-cli/proto/platform/v1/sessions';
import { UserServiceService } from '@claude-cli/proto/platform/v1/users';
import { serve } from '@claude-cli/shared/grpc/server';
import type { Service } from '@claude-cli/shared/service/service';
import { every } from '@claude-cli/shared/timer';
import { type Context, createContext, settingNames } from './context.ts';
import { checkAccess } from './projects/check-access.ts';
import { createProject } from './projects/create-project.ts';
import { deleteProject } from './projects/delete-project.ts';
import { getProject } from './projects/get-project.ts';
import { listAccessibleProjects } from './projects/list-accessible-projects.ts';
import { listProjects } from './projects/list-projects.ts';
import { updateProject } from './projects/update-project.ts';
import { createSession } from './sessions/create-session.ts';
import { deleteSession } from './sessions/delete-session.ts';
import { getSession } from './sessions/get-session.ts';
import { listSessions } from './sessions/list-sessions.ts';
import { touchSession } from './sessions/touch-session.ts';
import { updateSession } from './sessions/update-session.ts';
import { getProfile } from './users/get-profile.ts';
import { getUserNames } from './users/get-user-names.ts';
import { login } from './users/login.ts';
import { refreshToken } from './users/refresh-token.ts';

/** Users, projects, members and sessions. */
export const projectService: Service<(typeof settingNames)[number], Context> = {
  name: 'project-service',
  settings: settingNames,
  context: createContext,
  serves: [
    serve(AuthServiceService, { login, refreshToken }),
    serve(UserServiceService, { getProfile, getUserNames }),
    serve(ProjectServiceService, {
      createProject,
      listProjects,
      getProject,
      updateProject,
      deleteProject,
      checkAccess,
      listAccessibleProjects,
    }),
    serve(SessionServiceService, {
      createSession,
      listSessions,
      getSession,
      updateSession,
      deleteSession,
      touchSession,
    }),
  ],
  runs: [
    (ctx) => every(2_000, 'telling what was left in the project outbox', () => ctx.projectOutbox.sweep(), ctx.log),
    (ctx) => every(2_000, 'telling what was left in the session outbox', () => ctx.sessionOutbox.sweep(), ctx.log),
  ],
};
