import { type Attributes, type HrTime, ValueType } from '@opentelemetry/api';
import { millisToHrTime } from '@opentelemetry/core';
import type { Resource } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type Histogram,
  type MetricData,
  type MetricProducer,
} from '@opentelemetry/sdk-metrics';
import type { MetricObjectWithValues, MetricValueWithName } from 'prom-client';
import { metrics } from './metrics.ts';

type Metric = MetricObjectWithValues<MetricValueWithName<string>>;

/** The metrics that are served to Prometheus, as OTLP has them: counted once, told in two ways. */
export function registryProducer(resource: Resource): MetricProducer {
  const startTime = millisToHrTime(performance.timeOrigin);
  return {
    async collect() {
      const endTime = millisToHrTime(Date.now());
      const all = (await metrics.getMetricsAsJSON()) as Metric[];
      const found = all.flatMap((metric) => toOtlp(metric, startTime, endTime));
      const scope = { name: 'claude-cli-platform' };
      return { resourceMetrics: { resource, scopeMetrics: [{ scope, metrics: found }] }, errors: [] };
    },
  };
}

/** One metric as OTLP has it; none for kinds that we do not use. */
function toOtlp(metric: Metric, startTime: HrTime, endTime: HrTime): MetricData[] {
  const { name, help, values } = metric;
  const common = {
    descriptor: { name, description: help, unit: '', valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  };
  const numbers = () =>
    values.map(({ labels, value }): DataPoint<number> => ({ startTime, endTime, attributes: { ...labels }, value }));
  // Of what the types of prom-client call an enumeration, its JSON has the name.
  switch (String(metric.type)) {
    case 'counter':
      return [{ ...common, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints: numbers() }];
    case 'gauge':
      return [{ ...common, dataPointType: DataPointType.GAUGE, dataPoints: numbers() }];
    case 'histogram': {
      const dataPoints = histograms(metric).map(({ attributes, value }) => ({ startTime, endTime, attributes, value }));
      return [{ ...common, dataPointType: DataPointType.HISTOGRAM, dataPoints }];
    }
    default:
      return [];
  }
}

interface Collected {
  attributes: Attributes;
  /** Upper bound and how many were at or below it. */
  upTo: [bound: number, count: number][];
  sum: number;
  count: number;
}

function histograms({ name, values }: Metric): { attributes: Attributes; value: Histogram }[] {
  const byLabels = new Map<string, Collected>();
  for (const { metricName, labels, value } of values) {
    const { le, ...attributes } = labels as Record<string, string | number>;
    const key = JSON.stringify(attributes);
    const found = byLabels.get(key) ?? { attributes, upTo: [], sum: 0, count: 0 };
    byLabels.set(key, found);
    if (metricName === `${name}_sum`) found.sum = value;
    else if (metricName === `${name}_count`) found.count = value;
    else if (le !== '+Inf') found.upTo.push([Number(le), value]);
  }
  return [...byLabels.values()].map(({ attributes, upTo, sum, count }) => {
    const boundaries = upTo.map(([bound]) => bound);
    const reached = [...upTo.map(([, below]) => below), count];
    const counts = reached.map((below, index) => below - (reached[index - 1] ?? 0));
    return { attributes, value: { buckets: { boundaries, counts }, sum, count } };
  });
}
