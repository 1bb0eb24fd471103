import type { CommandSuggestion } from '@claude-cli/proto/platform/v1/commands';
import { catalog } from './catalog.ts';

/** A command that the caller ran. */
export interface PastCommand {
  command: string;
  started_at: Date;
}

/** What is asked for. */
export interface Wanted {
  /** A category; undefined when any will do. */
  context: string | undefined;
  /** Beginning of the command; empty when there is none. */
  prefix: string;
  limit: number;
}

/** Time in which a run counts half as much, in milliseconds. */
const halfLifeMs = 7 * 24 * 60 * 60 * 1000;
/** Longest command that is suggested, in UTF-16 units: a longer one is a script that nobody types. */
const mostCharacters = 500;

const programOf = (command: string) => command.trimStart().split(/\s/, 1)[0] ?? '';

/** Programs by the category that they belong to, which may be several. */
const programsOf = Map.groupBy(catalog, ({ category }) => category);

/**
 * Commands that fit, those of the history first. A context that is not a category only tells that nothing is known about
 * it: then the beginning of the command decides alone.
 */
export function suggest(
  history: readonly PastCommand[],
  { context, prefix, limit }: Wanted,
  now: Date,
): CommandSuggestion[] {
  const ofContext = context === undefined ? undefined : programsOf.get(context);
  const programs = ofContext && new Set(ofContext.map(({ command }) => programOf(command)));
  const fits = ({ command }: { command: string }) =>
    command.startsWith(prefix) && command.length <= mostCharacters && !command.includes('\n');
  const past = ranked(
    history.filter((each) => fits(each) && (!programs || programs.has(programOf(each.command)))),
    now,
  );
  const nothingTold = context !== undefined && !ofContext && prefix === '';
  const known = nothingTold ? [] : (ofContext ?? catalog).filter(fits);
  const seen = new Set(past.map(({ command }) => command));
  return [...past, ...known.filter(({ command }) => !seen.has(command))].slice(0, limit);
}

/** Distinct commands, the one first that was run most often and most recently. */
function ranked(history: readonly PastCommand[], now: Date): CommandSuggestion[] {
  const weightOf = ({ started_at }: PastCommand) => 0.5 ** ((now.getTime() - started_at.getTime()) / halfLifeMs);
  return [...Map.groupBy(history, ({ command }) => command.trimEnd())]
    .map(([command, runs]) => ({
      command,
      times: runs.length,
      last: new Date(Math.max(...runs.map(({ started_at }) => started_at.getTime()))),
      weight: runs.reduce((sum, run) => sum + weightOf(run), 0),
    }))
    .sort((a, b) => b.weight - a.weight || b.last.getTime() - a.last.getTime())
    .map(({ command, times, last }) => ({ command, description: describe(times, last), category: 'history' }));
}

function describe(times: number, last: Date): string {
  const day = last.toISOString().slice(0, 10);
  return times === 1 ? `Run once, on ${day}` : `Run ${times} times, last on ${day}`;
}
