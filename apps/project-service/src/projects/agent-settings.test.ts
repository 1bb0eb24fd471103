import { describe, expect, test } from '@jest/globals';
import { startTestPlatform } from '../testing/platform.ts';
import { agentSettings } from './agent-settings.ts';

describe('the settings of the agent', () => {
  test('are taken as they are when all are right', () => {
    const agent = {
      permission_mode: 'acceptEdits',
      model: 'claude-sonnet-4-5[1m]',
      max_turns: 20,
      max_budget_usd: 2.5,
    };
    expect(agentSettings({ theme: 'dark', agent })).toEqual({ ...agent, ignored: [] });
  });

  test('are absent when nothing is said of the agent', () => {
    expect(agentSettings({})).toBeUndefined();
    expect(agentSettings({ agent: null })).toBeUndefined();
  });

  test.each(['sonnet', 'claude-opus-4-1-20250805', 'us.anthropic.claude-sonnet-4-5-v1:0', 'claude-opus-4@20250514'])(
    'name a model as %s',
    (model) => expect(agentSettings({ agent: { model } })).toEqual({ model, ignored: [] }),
  );

  test.each<[string, unknown]>([
    ['permission_mode', 'everything'],
    ['permission_mode', '--dangerously-skip-permissions'],
    ['permission_mode', ['plan']],
    ['model', '--help'],
    ['model', ''],
    ['model', 'a b'],
    ['model', 'opus\n--help'],
    ['model', 'x'.repeat(201)],
    ['model', { name: 'opus' }],
    ['max_turns', 0],
    ['max_turns', 1.5],
    ['max_turns', '5'],
    ['max_turns', 10_001],
    ['max_budget_usd', 0],
    ['max_budget_usd', -1],
    ['max_budget_usd', '5 --help'],
    ['max_budget_usd', Number.NaN],
    ['max_budget_usd', Number.POSITIVE_INFINITY],
    ['constructor', 'x'],
    ['dangerously_skip_permissions', true],
  ])('pass over %s %j and say so', (name, value) => {
    const settings = agentSettings({ agent: { [name]: value, max_turns: name === 'max_turns' ? value : 3 } });
    expect(settings).toEqual({
      ...(name === 'max_turns' ? {} : { max_turns: 3 }),
      ignored: [expect.stringMatching(`^agent\\.${name} (must be|is not known)`)],
    });
  });

  test('are not an object: then none can be used', () => {
    for (const agent of ['opus', 7, true, ['opus']]) {
      expect(agentSettings({ agent })).toEqual({ ignored: ['agent must be an object'] });
    }
  });

  test('never say more than a little about what is ignored', () => {
    const agent = Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`${n}`.padEnd(10_000, 'x'), 1]));
    const ignored = agentSettings({ agent })?.ignored ?? [];
    expect(ignored).toHaveLength(10);
    expect(ignored.join('').length).toBeLessThan(1_000);
  });
});

test('a project tells them to whoever asks what may be done in it, as they are at that time', async () => {
  await using platform = await startTestPlatform();
  const { projects, admin } = platform;
  const settings = { theme: 'dark', agent: { model: 'opus', max_turns: 'many' } };
  const { id: project_id } = await projects.createProject({ name: 'Shop', settings }, admin);
  const access = await projects.checkAccess({ project_id }, admin);
  expect(access.agent).toEqual({ model: 'opus', ignored: ['agent.max_turns must be an integer from 1 to 10000'] });
  await projects.updateProject({ project_id, settings: { agent: null } }, admin);
  expect((await projects.checkAccess({ project_id }, admin)).agent).toBeUndefined();
});
