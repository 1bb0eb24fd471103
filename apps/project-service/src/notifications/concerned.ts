import { Batches } from '@claude-cli/shared/batches';
import type { Context } from '../context.ts';
import type { Project } from '../projects/project.ts';
import type { User } from '../users/user.ts';

/** Events that are taken from the queue at once, and about which is asked together at most. */
export const takenAtOnce = 200;
/** How often is asked, unless there are many: it costs the same for one event and for fifty. */
const pace = { everyMs: 100, burst: 8 };

/** Whom an event may concern. */
interface Question {
  /** Where that matters. */
  project_id?: string;
  user_ids: readonly string[];
}

/** What is known of them. */
export interface Concerned {
  /** Undefined for one that is not there, or not any more. */
  project: Pick<Project, '_id' | 'members' | 'settings'> | undefined;
  /** Those whose accounts are in use. */
  users: Pick<User, '_id' | 'role' | 'preferences'>[];
}

/** Reads whom events may concern, of those that come at the same time together. */
export type ConcernedReads = Batches<Question, Concerned>;

/** The reads of a database. */
export function openConcernedReads({ projects, users }: Pick<Context, 'projects' | 'users'>): ConcernedReads {
  const read = async (questions: Question[]): Promise<Concerned[]> => {
    const project_ids = idsAmong(questions.map(({ project_id }) => project_id));
    const user_ids = idsAmong(questions.flatMap((question) => question.user_ids));
    const [foundProjects, foundUsers] = await Promise.all([
      project_ids.length === 0
        ? []
        : projects
            .find({ _id: { $in: project_ids }, deleted_at: null }, { members: 1, 'settings.notifications': 1 })
            .lean<NonNullable<Concerned['project']>[]>(),
      users.find({ _id: { $in: user_ids }, disabled_at: null }, { role: 1, preferences: 1 }).lean(),
    ]);
    const projectOf = new Map(foundProjects.map((project) => [project._id, project]));
    const userOf = new Map(foundUsers.map((user) => [user._id, user]));
    return questions.map((question) => ({
      project: projectOf.get(question.project_id ?? ''),
      users: question.user_ids.flatMap((user_id) => userOf.get(user_id) ?? []),
    }));
  };
  return new Batches(read, { most: takenAtOnce, pace });
}

/** Each once. What an event that is not as it should be has in place of an id is nobody's, and fails no other event. */
function idsAmong(given: readonly unknown[]): string[] {
  return [...new Set(given.filter((id) => typeof id === 'string'))];
}
