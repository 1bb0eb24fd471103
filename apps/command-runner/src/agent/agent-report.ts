import { amountOr, isObject, type JsonObject, textOr } from './json.ts';

/** Longest result text that is reported, in UTF-16 units. */
const longestResult = 64 * 1024;
const longestName = 200;
const longestReason = 200;

/** Tokens that a run used. */
export interface Tokens {
  input: number;
  output: number;
  cache_read: number;
  cache_creation: number;
}

/** What is known of an agent's run, as it is stored on its execution. What the agent did not say is null. */
export interface AgentReport extends JsonObject {
  /** The agent's last words. */
  result: string | null;
  /** How it ended: success, error_max_turns, error_max_budget_usd, error_during_execution, or what the CLI adds to these. */
  subtype: string | null;
  is_error: boolean;
  /** Of this run alone, also when it went on with a conversation. */
  cost_usd: number | null;
  turns: number | null;
  duration_ms: number | null;
  /** The conversation; what goes on with it names it. */
  session_id: string | null;
  /** The conversation with which it went on. */
  resumed_session_id: string | null;
  /** The model that answered. */
  model: string | null;
  tokens: Tokens | null;
}

/** A message of type result. */
export interface ResultMessage {
  /** Whether it succeeded; undefined when the message does not say. */
  succeeded: boolean | undefined;
  /** Why it failed, in one line; null when it succeeded. */
  error: string | null;
  /** Everything that the message says of errors. */
  errorText: string;
  /** What it says, without what it does not. */
  facts: Partial<AgentReport>;
}

const reasons: Record<string, string> = {
  error_max_turns: 'The agent has used up its turns',
  error_max_budget_usd: 'The agent has used up its budget',
  error_during_execution: 'The agent failed during its work',
};

/** Read a message of type result, whatever it lacks. Amounts in it are of the whole run, not since an earlier result. */
export function readResult(event: JsonObject): ResultMessage {
  const subtype = textOr(event.subtype, longestName);
  const isError = typeof event.is_error === 'boolean' ? event.is_error : undefined;
  const succeeded =
    subtype === null && isError === undefined ? undefined : !isError && (subtype ?? 'success') === 'success';
  const result = textOr(event.result, longestResult);
  const errors = (Array.isArray(event.errors) ? event.errors : [event.error]).filter(
    (text) => typeof text === 'string',
  );
  const errorText = succeeded === false ? [...errors, result ?? ''].join('\n').slice(0, longestResult) : '';
  const facts: Partial<AgentReport> = {
    result,
    subtype,
    is_error: succeeded === false,
    cost_usd: amountOr(event.total_cost_usd ?? event.cost_usd),
    turns: amountOr(event.num_turns),
    duration_ms: amountOr(event.duration_ms),
    session_id: sessionIn(event),
    tokens: isObject(event.usage) ? readUsage(event.usage) : null,
  };
  return {
    succeeded,
    error: succeeded === false ? reasonOf(subtype, errorText) : null,
    errorText,
    facts: Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== null)),
  };
}

function reasonOf(subtype: string | null, errorText: string): string {
  const known = subtype === null ? undefined : reasons[subtype];
  const line = firstLine(errorText);
  if (known && line) return `${known}: ${line}`;
  if (known ?? line) return known ?? line ?? '';
  return subtype === null || subtype === 'success' ? 'The agent reported an error' : `The agent ended with ${subtype}`;
}

/** Id of the conversation that a message belongs to. What could be taken for an option is none. */
export function sessionIn({ session_id }: JsonObject): string | null {
  return typeof session_id === 'string' && /^\w[\w-]{0,127}$/.test(session_id) ? session_id : null;
}

/** The model that a message names; the CLI's own words are of none. */
export function modelIn({ model }: JsonObject): string | null {
  return typeof model === 'string' && /^[^<\s]\S*$/.test(model) ? model.slice(0, longestName) : null;
}

/** Tokens by the usage that a message tells. */
export function readUsage(usage: JsonObject): Tokens {
  return {
    input: amountOr(usage.input_tokens) ?? 0,
    output: amountOr(usage.output_tokens) ?? 0,
    cache_read: amountOr(usage.cache_read_input_tokens) ?? 0,
    cache_creation: amountOr(usage.cache_creation_input_tokens) ?? 0,
  };
}

/** Tokens of two amounts together. */
export function addTokens(one: Tokens, other: Tokens): Tokens {
  return {
    input: one.input + other.input,
    output: one.output + other.output,
    cache_read: one.cache_read + other.cache_read,
    cache_creation: one.cache_creation + other.cache_creation,
  };
}

/** The first line of a text that says something, made short; undefined when none does. */
export function firstLine(text: string): string | undefined {
  return text
    .split('\n')
    .find((line) => line.trim() !== '')
    ?.trim()
    .slice(0, longestReason);
}
