import type { AgentOptions, Job } from '@claude-cli/proto/platform/v1/executions';
import type { Translator, Verdict, WriteOutput } from '../commands/start-command.ts';
import type { Context } from '../context.ts';
import type { Program } from '../processes/shell.ts';
import { agentProgram } from './agent-program.ts';
import { type AgentReport, firstLine } from './agent-report.ts';
import { AgentStream } from './agent-stream.ts';
import { holdUntil } from './usage-limit.ts';
import { Watchdog } from './watchdog.ts';

/** What a run of the agent needs of its runner. */
export type AgentContext = Pick<Context, 'agentHold'> & {
  config: Pick<Context['config'], 'CLAUDE_BINARY' | 'AGENT_SILENCE_SECONDS' | 'AGENT_EXIT_SECONDS'>;
};

/** One run of the agent, from its command line to the report of how it went. */
export class AgentRun {
  readonly program: Program;
  readonly #ctx: AgentContext;
  readonly #options: Partial<AgentOptions>;
  #stream: AgentStream | undefined;
  #watchdog: Watchdog | undefined;
  /** Until when the account's limit is reached, if the run met it. */
  #limitedUntil: Date | undefined;
  #metLimit = false;
  #conversationIsGone = false;

  constructor(ctx: AgentContext, { prompt, agent = { notes: [] } }: Pick<Job, 'prompt' | 'agent'>) {
    this.#ctx = ctx;
    this.#options = agent;
    this.program = agentProgram(ctx.config.CLAUDE_BINARY, prompt, agent);
  }

  /** Progress so far, in percent; undefined while it is not known. */
  get progress(): number | undefined {
    return this.#stream?.progress.percent;
  }

  /**
   * The translator of its stream.
   * @param stop ends the process when it hangs; `end` then says how the run went
   */
  translator(write: WriteOutput, stop: () => void): Translator {
    const { AGENT_SILENCE_SECONDS, AGENT_EXIT_SECONDS } = this.#ctx.config;
    const patience = { silenceMs: AGENT_SILENCE_SECONDS * 1_000, exitMs: AGENT_EXIT_SECONDS * 1_000 };
    const watchdog = new Watchdog(patience, stop);
    const limits = {
      limitReached: (resetsAt: number | undefined) => this.#limit(resetsAt, write),
      limitOver: () => {
        this.#limitedUntil = undefined;
      },
    };
    const stream = new AgentStream(
      { write, ...limits, resultCame: () => watchdog.resultCame() },
      this.#options.settings?.max_turns,
    );
    this.#watchdog = watchdog;
    this.#stream = stream;
    for (const note of this.#options.notes ?? []) write('system', `[agent] ${note}\n`);
    return {
      read: (text) => {
        watchdog.signOfLife();
        stream.read(text);
      },
      end: (stderrTail) => {
        watchdog.stop();
        stream.end();
        if (watchdog.lapse === 'lingering') write('system', '[agent] stayed after its result and was stopped\n');
        if (!stream.result && stream.facts()) write('system', '[agent] ended without a result\n');
        return this.#verdict(stream, stderrTail);
      },
    };
  }

  /** What is known of the run; null when the agent told nothing. */
  report(): AgentReport | null {
    const facts = this.#stream?.facts();
    if (!facts) return null;
    const known: AgentReport = {
      result: null,
      subtype: null,
      is_error: false,
      cost_usd: null,
      turns: null,
      duration_ms: null,
      session_id: null,
      model: null,
      tokens: null,
      ...facts,
      resumed_session_id: this.#options.resume_session_id ?? null,
    };
    return this.#conversationIsGone ? { ...known, session_id: null, conversation_is_gone: true } : known;
  }

  /**
   * When a failed run is to be tried again without using up an attempt, since it could not do its work: after the account's
   * limit is reset, or at once when the conversation that it was to go on with is not there. Null for other failures.
   */
  retryAt(): string | null {
    if (this.#conversationIsGone) return new Date().toISOString();
    if (isOwnLimit(this.#stream?.facts()?.subtype)) return null;
    return this.#limitedUntil?.toISOString() ?? null;
  }

  #limit(resetsAt: number | undefined, write: WriteOutput): void {
    const until = holdUntil({ resetsAt });
    this.#ctx.agentHold.extend(until);
    this.#metLimit = true;
    if (!this.#limitedUntil) write('system', `[agent] its usage limit is reached until ${until.toISOString()}\n`);
    if (!this.#limitedUntil || until > this.#limitedUntil) this.#limitedUntil = until;
  }

  #verdict(stream: AgentStream, stderrTail: string): Verdict {
    const { result } = stream;
    this.#conversationIsGone =
      this.#options.resume_session_id !== undefined &&
      !result?.succeeded &&
      /\bNo conversation found\b/i.test(`${result?.errorText ?? ''}\n${stderrTail}`);
    // Such as a limit of one model, from which the CLI has gone on to another.
    if (result?.succeeded && this.#metLimit) this.#ctx.agentHold.release();
    if (result) return { succeeded: result.succeeded, error: result.error };
    if (this.#watchdog?.lapse) {
      const error = `The agent wrote nothing for ${this.#ctx.config.AGENT_SILENCE_SECONDS} s`;
      return { succeeded: false, error };
    }
    const lastWords = firstLine(stderrTail.split('\n').reverse().join('\n'));
    return {
      succeeded: undefined,
      error: lastWords ? `no result of the agent: ${lastWords}` : 'no result of the agent',
    };
  }
}

/** A limit that the project has set. */
function isOwnLimit(subtype: string | null | undefined): boolean {
  return subtype === 'error_max_turns' || subtype === 'error_max_budget_usd';
}
