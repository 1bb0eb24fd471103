import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type SettingName, settings } from '@claude-cli/shared/settings';
import { testEnvironment } from '@claude-cli/shared/testing/environment';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { migrateAll } from '../scripts/platform/migrate-all.ts';
import { writtenBase } from './testing/base.ts';
import { deploy } from './testing/paths.ts';
import { declaredBy, environmentOf, servicesOf } from './testing/pods.ts';
import { componentsOf, renderer, Workbench } from './testing/render.ts';
import { settingsRead } from './testing/settings-read.ts';

/** Variables that are no settings of ours: the runner passes them on to agents. */
const passedOn = ['ANTHROPIC_API_KEY'];

const base = writtenBase();
const deployments = base.filter(({ kind }) => kind === 'Deployment');
const services = deployments.map(({ metadata }) => metadata.name);
const given = new Map(
  deployments.map((deployment) => [deployment.metadata.name, environmentOf(declaredBy(deployment), base)]),
);
/** By service, what it reads until it is ready. */
const read = new Map<string, Set<string>>();

interface Compose {
  services: Record<string, { environment?: Record<string, string>; build?: { args: { APP: string } } }>;
}
const compose: Compose = parse(readFileSync(join(deploy, 'compose.yaml'), 'utf8'), { merge: true });
const composed = Object.entries(compose.services).filter(([, { build }]) => build);

let environment: ReturnType<typeof testEnvironment>;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'deploy-'));
  environment = testEnvironment();
  await migrateAll(environment.env.MONGODB_URI ?? '', 'silent');
  for (const service of services) read.set(service, await settingsRead(service, here(service)));
});

afterAll(async () => {
  await environment?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

/** What the manifest gives a service, with places of this machine for those of a cluster, and with secrets for references. */
function here(service: string): Record<string, string> {
  const ours: Record<string, string> = { ...environment.env, WORKSPACE_ROOT: directory };
  const fromManifest = [...(given.get(service) ?? [])].map(([name, value]) => [name, ours[name] ?? value]);
  const secrets = fromManifest.filter(([, value]) => !value?.startsWith('secret:'));
  // Not given, because there the default is right.
  return { PATH: process.env.PATH ?? '', AMQP_PREFIX: ours.AMQP_PREFIX ?? '', ...Object.fromEntries(secrets) };
}

/** Whether a setting means this machine unless it is given, so that it has to be given where services are apart. */
function isLocal(name: SettingName): boolean {
  const { success, data } = settings[name].safeParse(undefined);
  return success && typeof data === 'string' && /127\.0\.0\.1|localhost|^\.data/.test(data);
}

/** What is wrong with the names of a service's variables. */
function problemsOf(service: string, names: readonly string[]): string[] {
  const known = read.get(service) ?? new Set();
  const unread = names.filter((name) => !known.has(name) && !passedOn.includes(name));
  const needed = [...known].filter((name): name is SettingName => name in settings && isLocal(name as SettingName));
  const missing = needed.filter((name) => !names.includes(name) && !names.includes(`${name}_FILE`));
  return [
    ...unread.map((name) => `${service} does not read ${name}`),
    ...missing.map((name) => `${service} lacks ${name}`),
  ];
}

test('every service becomes ready by what its manifest gives it, so that no required setting is missing', () => {
  expect([...read.keys()]).toHaveLength(6);
});

test('the manifests give each service what it reads, and all of it that would else mean one machine', () => {
  expect(services.flatMap((service) => problemsOf(service, [...(given.get(service)?.keys() ?? [])]))).toEqual([]);
});

test('the values in the manifests are such as the settings accept', () => {
  const wrong = [...given].flatMap(([service, variables]) =>
    [...variables].flatMap(([name, value]) => {
      const schema = name in settings ? settings[name as SettingName] : undefined;
      return value.startsWith('secret:') || schema?.safeParse(value).success ? [] : [`${service} ${name}=${value}`];
    }),
  );
  expect(wrong).toEqual([]);
});

test('compose gives each service what it reads, and all of it that would else mean one machine', () => {
  expect(composed.map(([name]) => name).toSorted()).toEqual(services.toSorted());
  const problems = composed.flatMap(([name, { environment: own = {} }]) => problemsOf(name, Object.keys(own)));
  expect(problems).toEqual([]);
});

test('services call each other, and reach their stores, only where the network policies let them', () => {
  const policies = base.filter(({ kind }) => kind === 'NetworkPolicy');
  const policyOf = (name: string) => JSON.stringify(policies.find(({ metadata }) => metadata.name === name));
  const labelled = (name: string) => ({ 'app.kubernetes.io/name': name });
  for (const [service, names] of read) {
    const labels = deployments.find(({ metadata }) => metadata.name === service)?.metadata.labels ?? {};
    const uses = (store: string) => labels[`claude-cli/uses-${store}`] === 'true';
    expect([service, uses('mongodb'), uses('rabbitmq'), uses('redis')]).toEqual([
      service,
      names.has('MONGODB_URI'),
      names.has('AMQP_URL'),
      names.has('REDIS_URL'),
    ]);
    const called = services.filter((other) => names.has(`${other.toUpperCase().replaceAll('-', '_')}_ADDRESS`));
    const spec = policies.find(({ metadata }) => metadata.name === service)?.spec as {
      egress: { to?: { podSelector?: { matchLabels: object } }[]; ports: { port: number }[] }[];
    };
    const allowed = spec.egress
      .filter(({ ports }) => ports.some(({ port }) => port === 50051))
      .flatMap(({ to = [] }) => to.flatMap(({ podSelector }) => podSelector?.matchLabels ?? []));
    expect([service, allowed]).toEqual([service, expect.arrayContaining(called.map(labelled))]);
    expect(allowed).toHaveLength(called.length);
    for (const other of called) expect(policyOf(other)).toContain(JSON.stringify(labelled(service)));
  }
});

(renderer ? describe : describe.skip)('overlays', () => {
  test('give each service only what it reads', async () => {
    await using workbench = await Workbench.open(join(directory, 'k8s'));
    for (const overlay of ['dev', 'staging', 'production']) {
      const components = [...(await componentsOf(overlay)), 'otel', 'runner-bubblewrap'];
      const manifests = await workbench.render(overlay, components);
      const problems = servicesOf(manifests).flatMap(({ name, container }) =>
        problemsOf(name, [...environmentOf(container, manifests).keys()]),
      );
      expect([overlay, problems]).toEqual([overlay, []]);
    }
  });
});

test('the secrets that manifests refer to are those that the script makes, or the addresses of stores', () => {
  const script = readFileSync(join(deploy, 'secrets.sh'), 'utf8');
  const made = [...script.matchAll(/echo "(\w+)=/g)].map(([, name]) => name);
  const referred = [...given.values()].flatMap((variables) =>
    [...variables.values()].flatMap((value) => /^secret:claude-cli\/(\w+)$/.exec(value)?.[1] ?? []),
  );
  expect(made).toEqual(expect.arrayContaining(referred));
  const asked = [...readFileSync(join(deploy, 'compose.yaml'), 'utf8').matchAll(/\$\{(\w+):\?/g)].map(
    ([, name]) => name,
  );
  expect(made).toEqual(expect.arrayContaining(asked));
});
