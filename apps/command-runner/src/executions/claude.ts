import type { Translator, WriteOutput } from '../commands/start-command.ts';
import type { Program } from '../processes/shell.ts';

/** Longest line of the stream that is parsed, in UTF-16 units; tool results can be large. */
const maxLine = 4 * 1024 * 1024;
/** Longest result text that is reported, in UTF-16 units. */
const maxResult = 64 * 1024;
const maxNote = 200;

/** The Claude CLI, as an agent that works on a prompt. Started without a shell, so nothing in the prompt is interpreted. */
export function agentProgram(binary: string, prompt: string): Program {
  // A prompt that begins with a dash must not be taken for an option.
  const text = prompt.startsWith('-') ? ` ${prompt}` : prompt;
  return { file: binary, args: ['-p', text, '--output-format', 'stream-json', '--verbose'] };
}

/** What the agent says about its own run. */
export interface AgentResult extends Record<string, unknown> {
  result: string | null;
  cost_usd: number | null;
  turns: number | null;
  session_id: string | null;
  is_error: boolean;
}

/** Reads the stream of JSON lines that the agent writes: text for people goes on, tools become short notes. */
export class AgentStream {
  /** Null until the agent has said how it went. */
  result: AgentResult | null = null;
  #rest = '';
  #skipping = false;

  /** The translator that writes there. */
  to(write: WriteOutput): Translator {
    return {
      read: (text) => this.#read(text, write),
      end: () => {
        if (this.#rest !== '') this.#line(this.#rest, write);
        this.#rest = '';
        return this.result?.is_error ? complaintOf(this.result) : undefined;
      },
    };
  }

  #read(text: string, write: WriteOutput): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      if (this.#skipping) this.#skipping = false;
      else this.#line(line, write);
    }
    if (this.#rest.length <= maxLine) return;
    if (!this.#skipping) write('system', '[a line of the agent was too long and left out]\n');
    this.#skipping = true;
    this.#rest = '';
  }

  #line(line: string, write: WriteOutput): void {
    if (line.trim() === '') return;
    const event = parse(line);
    if (!event) write('stdout', `${line}\n`);
    else if (event.type === 'assistant') this.#message(event.message, write);
    else if (event.type === 'result') this.result = readResult(event);
    else if (event.type === 'system' && event.subtype === 'init') write('system', `[agent] ${event.model ?? ''}\n`);
  }

  #message(message: unknown, write: WriteOutput): void {
    const content = isObject(message) && Array.isArray(message.content) ? message.content : [];
    for (const part of content.filter(isObject)) {
      if (part.type === 'text' && typeof part.text === 'string') write('stdout', withLineFeed(part.text));
      if (part.type === 'tool_use') write('system', `[tool] ${toolNote(part)}\n`);
    }
  }
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function readResult(event: Record<string, unknown>): AgentResult {
  const numberOr = (value: unknown) => (typeof value === 'number' ? value : null);
  const textOr = (value: unknown) => (typeof value === 'string' ? value.slice(0, maxResult) : null);
  return {
    result: textOr(event.result),
    cost_usd: numberOr(event.total_cost_usd ?? event.cost_usd),
    turns: numberOr(event.num_turns),
    session_id: textOr(event.session_id),
    is_error: event.is_error === true,
  };
}

function complaintOf({ result }: AgentResult): string {
  const line = result?.split('\n').find((text) => text.trim() !== '');
  return line ? line.slice(0, maxNote) : 'The agent reported an error';
}

function toolNote(part: Record<string, unknown>): string {
  const input = isObject(part.input) ? Object.values(part.input).find((value) => typeof value === 'string') : undefined;
  return `${part.name}: ${input ?? ''}`.replace(/\s+/g, ' ').slice(0, maxNote);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function withLineFeed(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}
