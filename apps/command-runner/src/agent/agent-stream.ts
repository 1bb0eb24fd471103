import type { WriteOutput } from '../commands/start-command.ts';
import { AgentProgress } from './agent-progress.ts';
import {
  type AgentReport,
  addTokens,
  modelIn,
  type ResultMessage,
  readResult,
  readUsage,
  sessionIn,
  type Tokens,
} from './agent-report.ts';
import { isObject, type JsonObject, objectsIn, parseObject } from './json.ts';
import { LineReader } from './line-reader.ts';
import { limitInError, readLimitEvent } from './usage-limit.ts';

/** Longest line of the stream that is read, in UTF-16 units; results of tools can be large. */
const longestLine = 4 * 1024 * 1024;
const longestNote = 200;

/** What the stream is told to, as it happens. */
export interface StreamEvents {
  write: WriteOutput;
  /** The account's limit is reached until then, in milliseconds since 1970, where that is known. */
  limitReached: (resetsAt: number | undefined) => void;
  /** The account's limit lets the agent work. */
  limitOver: () => void;
  /** The agent has said how it went. */
  resultCame: () => void;
}

/**
 * Reads the stream of JSON lines that the agent writes: its text goes on as output for people, its tools as short notes. What
 * is not understood is skipped, what is no JSON is passed on as it is.
 */
export class AgentStream {
  /** The last result that says how it went; undefined until the agent has said how it went. */
  result: ResultMessage | undefined;
  readonly progress: AgentProgress;
  readonly #on: StreamEvents;
  readonly #lines: LineReader;
  readonly #facts: Partial<AgentReport> = {};
  #resetsAt: number | undefined;
  #messageId: unknown;
  #turns = 0;
  #tokens: Tokens | undefined;
  #messageTokens: Tokens | undefined;

  constructor(on: StreamEvents, maxTurns?: number) {
    this.#on = on;
    this.progress = new AgentProgress(maxTurns);
    const tooLong = () => on.write('system', '[agent] a line that is too long was left out\n');
    this.#lines = new LineReader(longestLine, (line) => this.#line(line), tooLong);
  }

  /** Take the next piece of the stream. */
  read(text: string): void {
    this.#lines.read(text);
  }

  /** The stream has ended. */
  end(): void {
    this.#lines.end();
  }

  /** What is known of the run; undefined when the stream told nothing of one. */
  facts(): Partial<AgentReport> | undefined {
    const known = { ...this.#facts };
    if (this.#turns > 0) known.turns ??= this.#turns;
    const tokens = this.#countedTokens();
    if (tokens) known.tokens ??= tokens;
    return Object.keys(known).length > 0 ? known : undefined;
  }

  #line(line: string): void {
    if (line.trim() === '') return;
    const event = parseObject(line);
    if (!event) this.#on.write('stdout', `${line}\n`);
    else if (event.type === 'system') this.#system(event);
    else if (event.type === 'assistant') this.#assistant(event);
    else if (event.type === 'user') this.#user(event);
    else if (event.type === 'rate_limit_event') this.#limits(event);
    else if (event.type === 'result') this.#result(event);
  }

  #system(event: JsonObject): void {
    if (event.subtype !== 'init') return;
    this.#learn(event, event);
    this.#note('agent', modelIn(event) ?? '');
  }

  #assistant(event: JsonObject): void {
    const message = isObject(event.message) ? event.message : {};
    const isOwn = event.parent_tool_use_id === undefined || event.parent_tool_use_id === null;
    if (isOwn) this.#learn(event, message);
    this.#count(message, isOwn);
    for (const part of objectsIn(message.content)) {
      if (part.type === 'text' && typeof part.text === 'string') this.#on.write('stdout', withLineFeed(part.text));
      if (part.type !== 'tool_use') continue;
      if (isOwn) this.progress.toolUse(part);
      this.#note('tool', `${typeof part.name === 'string' ? part.name : '?'}: ${firstText(part.input)}`);
    }
    if (event.error === 'rate_limit') this.#on.limitReached(this.#resetsAt);
  }

  /** What tools answered; only failures are worth a line. */
  #user({ message }: JsonObject): void {
    const parts = isObject(message) ? objectsIn(message.content) : [];
    for (const part of parts) {
      if (part.type !== 'tool_result' || part.is_error !== true) continue;
      const texts = objectsIn(part.content).map(({ text }) => text);
      this.#note('tool failed', typeof part.content === 'string' ? part.content : firstText(texts));
    }
  }

  #limits(event: JsonObject): void {
    const { reached, resetsAt } = readLimitEvent(event);
    this.#resetsAt = resetsAt ?? this.#resetsAt;
    if (reached) this.#on.limitReached(this.#resetsAt);
    else this.#on.limitOver();
  }

  /** There may be several, when work in the background goes on: the last decides, and says what earlier ones said unless it says other. */
  #result(event: JsonObject): void {
    const read = readResult(event);
    Object.assign(this.#facts, read.facts);
    if (read.succeeded === undefined) return;
    this.result = read;
    const limit = read.succeeded === false ? limitInError(read.errorText) : undefined;
    if (limit) this.#on.limitReached(limit.resetsAt ?? this.#resetsAt);
    this.#on.resultCame();
  }

  #learn(event: JsonObject, message: JsonObject): void {
    const [session_id, model] = [sessionIn(event), modelIn(message)];
    if (session_id) this.#facts.session_id = session_id;
    if (model) this.#facts.model = model;
  }

  /** A message comes in several events, each with the usage so far. */
  #count(message: JsonObject, isOwn: boolean): void {
    if (message.id === undefined || message.id !== this.#messageId) {
      this.#tokens = this.#countedTokens();
      this.#messageTokens = undefined;
      this.#messageId = message.id;
      if (isOwn) this.progress.turn(++this.#turns);
    }
    if (isObject(message.usage)) this.#messageTokens = readUsage(message.usage);
  }

  #countedTokens(): Tokens | undefined {
    if (!this.#tokens || !this.#messageTokens) return this.#tokens ?? this.#messageTokens;
    return addTokens(this.#tokens, this.#messageTokens);
  }

  #note(about: string, text: string): void {
    // A text may be megabytes; only its beginning is looked at.
    const line = text
      .slice(0, longestNote * 4)
      .replace(/\s+/g, ' ')
      .trim()
      .slice(0, longestNote);
    this.#on.write('system', `[${about}] ${line}\n`);
  }
}

function firstText(from: unknown): string {
  const values = typeof from === 'object' && from !== null ? Object.values(from) : [];
  return values.find((value) => typeof value === 'string') ?? '';
}

function withLineFeed(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}
