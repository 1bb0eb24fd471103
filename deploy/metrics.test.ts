import { globSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { z } from 'zod';
import { metricsOf, type ToldMetric } from './testing/metrics-of.ts';
import { deploy, root } from './testing/paths.ts';
import { faultOf, metricsIn } from './testing/promql.ts';

const apps = readdirSync(join(root, 'apps')).toSorted();

/** Labels whose values are few: by the contract, by our catalogs, or by the runtime. Never an id, an address or a text. */
const boundedLabels = new Set([
  ...['method', 'route', 'status', 'side', 'code', 'reason', 'consumer', 'result', 'type', 'outbox', 'state'],
  ...['kind', 'priority', 'transport', 'space', 'version', 'major', 'minor', 'patch', 'name'],
]);

/** Of Node and of the process, by prom-client; told of themselves elsewhere. */
const isOfRuntime = ({ name }: ToldMetric) => /^(nodejs|process)_/.test(name);

const dashboard = z.object({
  title: z.string(),
  panels: z.array(z.object({ title: z.string(), targets: z.array(z.object({ expr: z.string() })) })),
});
const rules = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.object({
          alert: z.string(),
          expr: z.string(),
          labels: z.object({ severity: z.enum(['critical', 'warning']) }),
          annotations: z.object({ summary: z.string(), runbook: z.string() }),
        }),
      ),
    }),
  ),
});

const byService = new Map<string, ToldMetric[]>();
const manual = readFileSync(join(root, 'docs/observability.md'), 'utf8');
const alerts = rules
  .parse(parse(readFileSync(join(deploy, 'prometheus/alerts.yaml'), 'utf8')))
  .groups.flatMap((group) => group.rules);
const dashboards = globSync('dashboards/*.json', { cwd: deploy }).map((file) =>
  dashboard.parse(JSON.parse(readFileSync(join(deploy, file), 'utf8'))),
);

beforeAll(async () => {
  for (const app of apps) byService.set(app, await metricsOf(app));
});

/** Every name under which Prometheus knows something of ours. */
function known(): Set<string> {
  const told = [...byService.values()].flat();
  const series = told.flatMap(({ name, type }) =>
    type === 'histogram' ? ['_bucket', '_sum', '_count'].map((part) => `${name}${part}`) : [name],
  );
  return new Set([...series, 'up']);
}

test.each([...apps])('the labels of all metrics of %s have few values', (app) => {
  const told = byService.get(app) ?? [];
  expect(told.length).toBeGreaterThan(20);
  const unbounded = told.flatMap(({ name, labels }) =>
    labels.filter((label) => !boundedLabels.has(label)).map((label) => `${name}: ${label}`),
  );
  expect(unbounded).toEqual([]);
});

test('no two services mean different things by one name', () => {
  const meanings = new Map<string, Set<string>>();
  for (const { name, help } of [...byService.values()].flat()) {
    meanings.set(name, (meanings.get(name) ?? new Set()).add(help));
  }
  expect([...meanings].filter(([, helps]) => helps.size > 1)).toEqual([]);
});

test('the dashboards show metrics that exist', () => {
  const exist = known();
  const expressions = dashboards.flatMap(({ title, panels }) =>
    panels.flatMap((panel) =>
      panel.targets.map(({ expr }) => ({
        at: `${title}: ${panel.title}`,
        // Grafana puts a time there.
        expr: expr.replaceAll('$__rate_interval', '5m'),
      })),
    ),
  );
  expect(dashboards.map(({ title }) => title).toSorted()).toEqual([
    'Executions',
    'Live updates',
    'Overview',
    'Webhooks',
  ]);
  expect(expressions.filter(({ expr }) => faultOf(expr) !== undefined || metricsIn(expr).length === 0)).toEqual([]);
  expect(expressions.filter(({ expr }) => metricsIn(expr).some((name) => !exist.has(name)))).toEqual([]);
});

describe('the alerts', () => {
  test('are about metrics that exist', () => {
    const exist = known();
    expect(alerts.filter(({ expr }) => faultOf(expr) !== undefined || metricsIn(expr).length === 0)).toEqual([]);
    expect(alerts.filter(({ expr }) => metricsIn(expr).some((name) => !exist.has(name)))).toEqual([]);
  });

  test('have each a section that says what to do, and no section is about an alert that is gone', () => {
    const sections = [...manual.matchAll(/^### (\w+)$/gm)].map(([, name]) => name);
    expect(sections.toSorted()).toEqual(alerts.map(({ alert }) => alert).toSorted());
    for (const { alert, annotations } of alerts) {
      expect(annotations.runbook).toBe(`docs/observability.md#${alert.toLowerCase()}`);
    }
  });
});

test('docs/observability.md names every metric as the services do', () => {
  const ours = new Map(
    [...byService.values()]
      .flat()
      .filter((metric) => !isOfRuntime(metric))
      .map((metric) => [metric.name, metric]),
  );
  const rows = [...ours.values()]
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
    .map(({ name, labels, help }) => {
      const services = apps.filter((app) => byService.get(app)?.some((metric) => metric.name === name));
      const where = services.length === apps.length ? 'all' : services.join(', ');
      return `| \`${name}\` | ${labels.map((label) => `\`${label}\``).join(', ')} | ${where} | ${help} |`;
    });
  const table = ['| Metric | Labels | Of | What it tells |', '| --- | --- | --- | --- |', ...rows].join('\n');
  expect(manual).toContain(table);
});

test('expressions are read as Prometheus does', () => {
  const expr = 'sum by (le, job) (rate(a_bucket{job=~"b|c(d)"}[5m])) > 4.3e8 unless on (x) max(e offset 15m) == 1';
  expect([metricsIn(expr), faultOf(expr)]).toEqual([['a_bucket', 'e'], undefined]);
  const wrong = ['', 'sum(a', 'a]', 'a +', 'rate(a[5x])', 'no_function(a)', 'sum(a) by', 'a{b=c}', 'a{b="c}', 'a b'];
  expect(wrong.filter((each) => faultOf(each) === undefined)).toEqual([]);
});
