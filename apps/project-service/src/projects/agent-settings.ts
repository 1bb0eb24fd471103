import type { AgentSettings } from '@claude-cli/proto/platform/v1/projects';

/** What the CLI accepts for --permission-mode. */
const permissionModes = ['default', 'acceptEdits', 'plan', 'bypassPermissions', 'dontAsk'];
/** Names as they are used by Anthropic, Bedrock (ARNs too) and Vertex. None begins with a dash: it is not an option. */
const modelName = /^[A-Za-z0-9][\w.:/@[\]-]{0,199}$/;
const mostTurns = 10_000;
const mostDollars = 100_000;
/** Longest name of an unknown setting that is repeated in a reason. */
const longestName = 40;
/** Settings of which it is said that they are ignored. */
const mostIgnored = 10;

/** For each setting, what is wrong with a value; undefined when it can be used. */
const wrong: Record<Exclude<keyof AgentSettings, 'ignored'>, (value: unknown) => string | undefined> = {
  permission_mode: (value) =>
    typeof value === 'string' && permissionModes.includes(value)
      ? undefined
      : `must be one of ${permissionModes.join(', ')}`,
  model: (value) =>
    typeof value === 'string' && modelName.test(value)
      ? undefined
      : 'must be the name of a model, at most 200 characters',
  max_turns: (value) =>
    Number.isInteger(value) && Number(value) >= 1 && Number(value) <= mostTurns
      ? undefined
      : `must be an integer from 1 to ${mostTurns}`,
  max_budget_usd: (value) =>
    typeof value === 'number' && value >= 0.000001 && value <= mostDollars
      ? undefined
      : `must be a number of dollars above 0, at most ${mostDollars}`,
};

/**
 * How the agent is to work, by what a project's free-form settings say under `agent`. What cannot be used is passed over
 * with a reason: settings may be written by front ends that know nothing of the agent, so they are not refused.
 * @returns undefined when they say nothing of the agent
 */
export function agentSettings(settings: Record<string, unknown>): AgentSettings | undefined {
  const given = settings.agent;
  if (given === undefined || given === null) return undefined;
  if (typeof given !== 'object' || Array.isArray(given)) return { ignored: ['agent must be an object'] };
  const usable: Record<string, unknown> = {};
  const ignored: string[] = [];
  for (const [name, value] of Object.entries(given)) {
    if (value === null || value === undefined) continue;
    const reason = isKnown(name) ? wrong[name](value) : 'is not known';
    if (reason === undefined) usable[name] = value;
    else if (ignored.length < mostIgnored) ignored.push(`agent.${name.slice(0, longestName)} ${reason}`);
  }
  return { ...usable, ignored };
}

function isKnown(name: string): name is keyof typeof wrong {
  return Object.hasOwn(wrong, name);
}
