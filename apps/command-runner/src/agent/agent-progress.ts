import { type JsonObject, objectsIn } from './json.ts';

/** Progress that a run that has not ended can have at most, in percent. */
const most = 99;

/**
 * How far the agent is: by the list of things to do that it keeps with its tool TodoWrite, else by the turns that it may take.
 * Without either that is not known. Never goes back.
 */
export class AgentProgress {
  /** In percent; undefined while it is not known. */
  percent: number | undefined;
  readonly #maxTurns: number | undefined;
  #hasList = false;

  constructor(maxTurns: number | undefined) {
    this.#maxTurns = maxTurns;
  }

  /** It has begun a turn. */
  turn(number: number): void {
    if (this.#maxTurns === undefined || this.#hasList) return;
    this.#reach((number - 1) / this.#maxTurns);
  }

  /** It uses a tool. */
  toolUse(tool: JsonObject): void {
    if (tool.name !== 'TodoWrite') return;
    const input = tool.input as JsonObject | null | undefined;
    const todos = objectsIn(input?.todos);
    if (todos.length === 0) return;
    this.#hasList = true;
    this.#reach(todos.filter(({ status }) => status === 'completed').length / todos.length);
  }

  #reach(share: number): void {
    const percent = Math.min(most, Math.floor(share * 100));
    if (percent > (this.percent ?? 0)) this.percent = percent;
  }
}
