/** A query of the driver or of mongoose, not yet sent. */
interface Query {
  explain(verbosity: 'queryPlanner'): PromiseLike<unknown>;
}

/** How the store would answer a query, as text: holds IXSCAN when an index is used, COLLSCAN when everything is read. */
export async function planOf(query: Query): Promise<string> {
  const { queryPlanner } = (await query.explain('queryPlanner')) as { queryPlanner: { winningPlan: unknown } };
  return JSON.stringify(queryPlanner.winningPlan);
}

/**
 * Whether a plan sorts what it found instead of reading an index in its order. Another server with MongoDB's protocol, whose
 * planner sorts small results whatever indexes there are, names itself in its plans; they tell nothing about ours.
 */
export function sortsByItself(plan: string): boolean {
  return plan.includes('"SORT"') && !plan.includes('documentdb');
}
