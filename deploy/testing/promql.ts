import { parser } from '@prometheus-io/lezer-promql';

/** Names of the metrics that an expression is about. */
export function metricsIn(expr: string): string[] {
  const names = new Set<string>();
  parser.parse(expr).iterate({
    enter: ({ name, from, to }) => {
      if (name === 'Identifier') names.add(expr.slice(from, to));
    },
  });
  return [...names];
}

/** Where an expression breaks the grammar of Prometheus, and what stands there; undefined: it does not. */
export function faultOf(expr: string): string | undefined {
  let fault: string | undefined;
  parser.parse(expr).iterate({
    enter: ({ type, from }) => {
      if (type.isError) fault ??= `at ${from}: ${expr.slice(from, from + 20)}`;
    },
  });
  return fault;
}
