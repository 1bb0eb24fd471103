import { isDuplicateKey } from '@claude-cli/shared/mongo';
import type { Context } from '../context.ts';
import type { ProjectUsage } from './project-usage.ts';

// Sums over the executions of a project that ended. What ended a while ago does not change, so its sums are kept and only what
// ended since then is added up: nothing is counted twice or forgotten, whatever dies in between.

/** Age from which an end is certain to be stored, in milliseconds: clocks differ and writes take their time. */
const settledAfterMs = 10 * 60_000;
/** Executions after the kept sums from which they are moved on. */
const moveOnAt = 500;

/** Sums over the executions that had ended by a moment: they do not change any more. */
export type Sums<Name extends string> = { until: Date } & Record<Name, number>;

/** What is added up. */
export interface Measure<Name extends string> {
  /** Where in a project's usage its sums are kept. */
  kept: 'output' | 'agent';
  /** Which executions count, of those that ended. */
  of: Record<string, unknown>;
  /** Name of each sum, and the path of what it adds up. */
  sums: Record<Name, `$${string}`>;
}

type Totals<Name extends string> = Record<Name, number>;

/** The sums over all executions of the project that ended. */
export async function settledSums<Name extends string>(
  ctx: Context,
  project_id: string,
  measure: Measure<Name>,
  now = new Date(),
): Promise<Totals<Name>> {
  const state = await stateOf(ctx, project_id, measure);
  const { count, ...since } = await added(ctx, project_id, measure, { $gt: state.from });
  if (count >= moveOnAt) await moveOn(ctx, project_id, measure, state, new Date(now.getTime() - settledAfterMs));
  return together(measure, state.kept, since as unknown as Totals<Name>);
}

/**
 * Keep the sums over what ended up to a moment at least, which then no longer depend on those executions.
 * @throws Error when others changed them all the while
 */
export async function keepSums(ctx: Context, project_id: string, measure: Measure<string>, until: Date): Promise<void> {
  for (let attempt = 0; attempt < 5; attempt++) {
    const state = await stateOf(ctx, project_id, measure);
    if (state.kept && state.kept.until >= until) return;
    await moveOn(ctx, project_id, measure, state, until);
  }
  throw new Error('the sums of a project could not be kept');
}

/** What is known of a sum before anything is added up. */
interface State<Name extends string> {
  kept: Sums<Name> | undefined;
  counted_from: Date | null;
  /** What ended after it is to be added up. */
  from: Date;
}

async function stateOf<Name extends string>(
  { usage }: Context,
  project_id: string,
  { kept: name }: Measure<Name>,
): Promise<State<Name>> {
  const found = await usage.findOne({ _id: project_id }, { [name]: 1, counted_from: 1 }).lean<ProjectUsage>();
  const kept = (found?.[name] ?? undefined) as Sums<Name> | undefined;
  const counted_from = found?.counted_from ?? null;
  return { kept, counted_from, from: kept?.until ?? counted_from ?? new Date(0) };
}

async function added<Name extends string>(
  { executions }: Context,
  project_id: string,
  { of, sums }: Measure<Name>,
  finished_at: { $gt: Date; $lte?: Date },
): Promise<Totals<Name> & { count: number }> {
  const group = Object.entries<string>(sums).map(([name, path]) => [name, { $sum: path }]);
  const [found] = await executions.aggregate<Totals<Name> & { count: number }>([
    { $match: { project_id, finished_at, ...of } },
    { $group: { _id: null, count: { $sum: 1 }, ...Object.fromEntries(group) } },
  ]);
  return found ?? ({ count: 0 } as Totals<Name> & { count: number });
}

function together<Name extends string>(
  { sums }: Measure<Name>,
  kept: Partial<Totals<Name>> | undefined,
  since: Partial<Totals<Name>>,
): Totals<Name> {
  const names = Object.keys(sums) as Name[];
  return Object.fromEntries(names.map((name) => [name, (kept?.[name] ?? 0) + (since[name] ?? 0)])) as Totals<Name>;
}

/** Of several that move the sums on at the same time, one does. */
async function moveOn<Name extends string>(
  ctx: Context,
  project_id: string,
  measure: Measure<Name>,
  { kept, counted_from, from }: State<Name>,
  until: Date,
): Promise<void> {
  if (until <= from) return;
  const since = await added(ctx, project_id, measure, { $gt: from, $lte: until });
  const moved = { until, ...together(measure, kept, since) };
  const same = kept ? { [`${measure.kept}.until`]: kept.until } : { [measure.kept]: null };
  const unmoved = { ...same, counted_from };
  await ctx.usage
    .updateOne({ _id: project_id, ...unmoved }, { $set: { [measure.kept]: moved } }, { upsert: !kept })
    .catch((error) => {
      // The document is there, with sums that somebody else kept meanwhile.
      if (!isDuplicateKey(error)) throw error;
    });
}
