/** A query of the driver or of mongoose, not yet sent. */
interface Query {
  explain(verbosity: 'queryPlanner'): PromiseLike<unknown>;
}

/** How the store would answer a query, as text: holds IXSCAN when an index is used, COLLSCAN when everything is read. */
export async function planOf(query: Query): Promise<string> {
  const { queryPlanner } = (await query.explain('queryPlanner')) as { queryPlanner: { winningPlan: unknown } };
  return JSON.stringify(queryPlanner.winningPlan);
}
