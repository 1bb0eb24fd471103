import { until } from '@claude-cli/shared/testing/until';
import { expect, test } from '@jest/globals';
import { facts, Platform, type Replica } from '../testing/platform.ts';
import { ReturningClient } from '../testing/returning-client.ts';

const events = 5_000;
const rounds = 100;

test('whatever is cut or restarted during 5,000 events, every client hears all that concerns it, in order, once', async () => {
  await using platform = await Platform.start({ closeMs: 200, comeBackMs: 0, comeBackSpreadMs: 50 });
  await using started = new AsyncDisposableStack();
  const startReplica = async () => started.use(await platform.startReplica());
  const replicas: Replica[] = [platform.service, await startReplica()];
  const user = platform.user();
  const projects = [platform.project(user), platform.project(user)];
  const tasks = projects.flatMap((project) =>
    [platform.task(project), platform.task(project)].map((id) => ({ id, project })),
  );
  const any = <Value>(list: readonly Value[]) => list[Math.floor(Math.random() * list.length)] as Value;
  const entrance = { url: () => platform.url(user.session, any(replicas)), token: () => platform.token(user) };
  const targets = [
    ...projects.map((project_id) => ({ channel: 'project_updates', project_id })),
    ...projects.map((project_id) => ({ channel: 'task_updates', project_id })),
    ...tasks.map(({ id }) => ({ channel: 'task_updates', task_id: id })),
  ];
  const clients = [...targets, ...targets].map((target) => new ReturningClient(entrance, target));
  started.defer(async () => void (await Promise.all(clients.map((client) => client.end()))));
  await until(
    'all to listen',
    () => platform.world.calls.filter((call) => call.startsWith('touchSession')).length >= 16,
  );
  for (const { ctx } of replicas) await until('them to be followed', () => ctx.hub.subscribers().length > 0);
  const listening = () => replicas.reduce((sum, { ctx }) => sum + ctx.hub.subscribers().length, 0);
  await until('all to be subscribed', () => listening() === clients.length);

  const numbered = async () => {
    const heads = await Promise.all(projects.map((project) => any(replicas).ctx.logStore.head(`project:${project}`)));
    return heads.reduce((sum, { seq }) => sum + seq, 0);
  };
  const told: { project: string; task: string }[] = [];
  for (let round = 0; round < rounds; round++) {
    const chunk = Array.from({ length: events / rounds }, () => any(tasks));
    await Promise.all(chunk.map(({ id, project }) => platform.tell('task.updated', project, facts(id))));
    told.push(...chunk.map(({ id, project }) => ({ project, task: id })));
    for (let drops = 0; drops < 2; drops++) any(clients).drop();
    if (round % 10 === 5) platform.broker.cut();
    if (round % 25 === 10) {
      const index = (round / 5) % 2 === 0 ? 0 : 1;
      await replicas.splice(index, 1, await startReplica())[0]?.[Symbol.asyncDispose]();
    }
    await until('the round to be numbered', async () => (await numbered()) === told.length, 30_000);
  }

  // In a project, the number of an event is its place: each has one message.
  const numbersOf = (target: Record<string, string>) => {
    const project = target.project_id ?? tasks.find(({ id }) => id === target.task_id)?.project;
    const inProject = told.filter((each) => each.project === project);
    const numbered = inProject.map(({ task }, index) => ({ task, seq: index + 1 }));
    return numbered.filter(({ task }) => !target.task_id || task === target.task_id).map(({ seq }) => seq);
  };
  for (const [index, client] of clients.entries()) {
    const expected = numbersOf(targets[index % targets.length] as Record<string, string>);
    await until(`client ${index} to have heard the last`, () => client.heard.at(-1) === expected.at(-1), 30_000);
    expect([index, client.wrong]).toEqual([index, []]);
    // Nothing of it was old or too much to be kept, so nobody had to reload.
    expect([index, client.reloads]).toEqual([index, 0]);
    expect(client.heard).toEqual(expected);
  }
  const returns = clients.reduce((sum, client) => sum + client.returns, 0);
  expect(returns).toBeGreaterThan(rounds);
});
