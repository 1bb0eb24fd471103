import { metrics } from '../telemetry/metrics.ts';

/** What a metric says in all, or under labels; 0 where it says nothing. Of a histogram, name the label `le` as well. */
export async function metricOf(name: string, asked: Record<string, string> = {}): Promise<number> {
  const { values } = (await metrics.getSingleMetric(name)?.get()) ?? { values: [] };
  const found = values.filter(({ labels }) =>
    Object.entries(asked).every(([label, value]) => Object(labels)[label] === value),
  );
  return found.reduce((sum, { value }) => sum + value, 0);
}
