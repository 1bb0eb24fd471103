import { newId } from '@claude-cli/shared/ids';
import { createLogger } from '@claude-cli/shared/logger';
import { connectMongo } from '@claude-cli/shared/mongo';
import { logCommands, monitored } from '@claude-cli/shared/testing/commands';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { database } from '../database.ts';
import { projectModel } from '../projects/project.ts';
import { endOfTask } from '../testing/ended-tasks.ts';
import { createPerson } from '../testing/people.ts';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { userModel } from '../users/user.ts';
import { openConcernedReads } from './concerned.ts';

describe('whom events concern', () => {
  let platform: TestPlatform;

  beforeAll(async () => {
    platform = await startTestPlatform();
  });
  afterAll(async () => platform[Symbol.asyncDispose]());

  test('is asked of the database by two commands for all events of a moment, whatever one of them brings', async () => {
    const uri = monitored(platform.env.MONGODB_URI ?? '');
    await using mongo = await connectMongo(uri, database.name, createLogger('test', 'silent'));
    const { connection } = mongo;
    await using concerned = openConcernedReads({ projects: projectModel(connection), users: userModel(connection) });
    const [{ id: project_id }, { id: member }, { id: disabled }] = await Promise.all([
      platform.projects.createProject({ name: 'Shop' }, platform.admin),
      createPerson(platform),
      createPerson(platform),
    ]);
    await platform.users.updateUser({ user_id: disabled, status: 'disabled' }, platform.admin);

    using log = logCommands(connection);
    const [both, noProject, unknown, broken] = await Promise.all([
      concerned.add({ project_id, user_ids: [member, disabled] }),
      concerned.add({ user_ids: [member] }),
      concerned.add({ project_id: newId(), user_ids: [newId()] }),
      concerned.add({ project_id: { $gt: '' } as never, user_ids: [{ $gt: '' } as never] }),
    ]);
    expect(log.commands.toSorted()).toEqual(['find projects', 'find users']);
    expect([both.project?._id, both.users.map(({ _id }) => _id)]).toEqual([project_id, [member]]);
    expect([noProject.project, noProject.users.map(({ _id }) => _id)]).toEqual([undefined, [member]]);
    for (const nothing of [unknown, broken]) expect(nothing).toEqual({ project: undefined, users: [] });
  });

  test('is told of each of many tasks that end at once', async () => {
    const [{ id: project_id }, one, other] = await Promise.all([
      platform.projects.createProject({ name: 'Busy' }, platform.admin),
      createPerson(platform),
      createPerson(platform),
    ]);
    for (const { id: user_id } of [one, other]) {
      await platform.projects.addMember({ project_id, user_id, role: 'viewer' }, platform.admin);
    }
    const ends = Array.from({ length: 60 }, (_, n) => {
      const people = { created_by: one.id, assigned_to: n % 3 === 0 ? other.id : null, requested_by: null };
      return endOfTask('task.completed', { project_id, people });
    });
    await Promise.all(ends.map((event) => platform.ctx.bus.publishEvent(event)));
    const count = (audience: string) => platform.ctx.notifications.countDocuments({ audience });
    await until('all to be told', async () => (await count(one.id)) === 60 && (await count(other.id)) === 20);
  });
});
