import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Safety } from '../safety/safety.ts';
import { as, Harness, type TestRunner } from '../testing/harness.ts';
import { catalog } from './catalog.ts';
import { suggest } from './suggest.ts';

const now = new Date('2025-07-30T12:00:00Z');
const daysAgo = (days: number) => new Date(now.getTime() - days * 86_400_000);
const commandsOf = (suggestions: { command: string }[]) => suggestions.map(({ command }) => command);

describe('the catalog', () => {
  test('has at least ten different commands in each category, each with a description', () => {
    const categories = Map.groupBy(catalog, ({ category }) => category);
    expect([...categories.keys()]).toEqual(
      expect.arrayContaining('git npm docker files node python process network text system'.split(' ')),
    );
    for (const [category, entries] of categories) {
      expect({ category, enough: entries.length >= 10 }).toEqual({ category, enough: true });
    }
    expect(new Set(commandsOf([...catalog])).size).toBe(catalog.length);
    for (const { command, description } of catalog) {
      expect({ command, described: /^[A-Z].{3,}$/.test(description) }).toEqual({ command, described: true });
    }
  });

  test('suggests nothing that validation warns of', async () => {
    const safety = await Safety.load();
    const directory = '/srv/platform/workspaces';
    const place = { root: directory, directory, home: '/home/runner', runnerPids: [4242], environment: {} };
    for (const { command } of catalog) {
      expect({ command, ...(await safety.judge(command, place)) }).toMatchObject({ command, safe: true, warnings: [] });
    }
  });
});

describe('suggestions', () => {
  test('are those of the reference for somebody without a history', () => {
    expect(suggest([], { context: 'git', prefix: 'git ', limit: 3 }, now)).toEqual([
      { command: 'git status', description: 'Show the working tree status', category: 'git' },
      { command: 'git add .', description: 'Add all files to staging area', category: 'git' },
      { command: 'git commit -m', description: 'Commit staged changes with message', category: 'git' },
    ]);
  });

  test('begin with what the caller ran, by how often and how recently, each once', () => {
    const history = [
      ...[1, 2, 3].map((days) => ({ command: 'git push', started_at: daysAgo(days) })),
      { command: 'git status', started_at: daysAgo(0) },
      ...[60, 61, 62, 63].map((days) => ({ command: 'git rebase', started_at: daysAgo(days) })),
      { command: 'ls git', started_at: daysAgo(0) },
    ];
    const found = suggest(history, { context: 'git', prefix: 'git ', limit: 50 }, now);
    expect(found.slice(0, 4)).toEqual([
      { command: 'git push', description: 'Run 3 times, last on 2025-07-29', category: 'history' },
      { command: 'git status', description: 'Run once, on 2025-07-30', category: 'history' },
      { command: 'git rebase', description: 'Run 4 times, last on 2025-05-31', category: 'history' },
      { command: 'git add .', description: 'Add all files to staging area', category: 'git' },
    ]);
    expect(new Set(commandsOf(found)).size).toBe(found.length);
  });

  test('of a context leave out what belongs to others', () => {
    const history = ['npm test', 'git push'].map((command) => ({ command, started_at: now }));
    const found = suggest(history, { context: 'npm', prefix: '', limit: 50 }, now);
    expect(found[0]).toMatchObject({ command: 'npm test', category: 'history' });
    expect(found.slice(1).every(({ category }) => category === 'npm')).toBe(true);
  });

  test('of an unknown context are the history and what begins alike', () => {
    const history = [{ command: 'terraform plan', started_at: now }];
    expect(commandsOf(suggest(history, { context: 'terraform', prefix: '', limit: 5 }, now))).toEqual([
      'terraform plan',
    ]);
    expect(commandsOf(suggest(history, { context: 'terraform', prefix: 'npm t', limit: 5 }, now))).toEqual([
      'npm test',
    ]);
  });

  test('take the beginning as it is, and leave scripts out', () => {
    const history = ['a\nb', 'a'.repeat(501), '.*'].map((command) => ({ command, started_at: now }));
    expect(suggest(history, { context: undefined, prefix: '.*', limit: 5 }, now)).toHaveLength(1);
    expect(
      suggest(history, { context: undefined, prefix: 'a', limit: 50 }, now).map(({ category }) => category),
    ).not.toContain('history');
  });
});

describe('asked for', () => {
  let harness: Harness;
  let runner: TestRunner;

  beforeAll(async () => {
    harness = await Harness.start();
    runner = await harness.runner();
  });

  afterAll(() => harness[Symbol.asyncDispose]());

  test('they come from the own history only', async () => {
    const ann = as('ann');
    const { command_id } = await runner.commands.executeCommand({ command: 'echo one two', environment: {} }, ann);
    await until('it has ended', async () => !runner.ctx.running.get(command_id));
    const asked = { prefix: 'echo ' };
    expect((await runner.commands.listCommandSuggestions(asked, ann)).suggestions).toMatchObject([
      { command: 'echo one two', category: 'history' },
    ]);
    expect((await runner.commands.listCommandSuggestions(asked, as('bob'))).suggestions).toEqual([]);
    const git = await runner.commands.listCommandSuggestions({ context: 'git', prefix: 'git ' }, ann);
    expect(git.suggestions).toHaveLength(20);
  });

  test('the history is read in the order of an index', async () => {
    const plan = JSON.stringify(await runner.ctx.commands.recent('ann', 200).lean().explain());
    expect(plan).toContain('IXSCAN');
    expect(plan).not.toMatch(/COLLSCAN|"SORT"/);
  });
});
