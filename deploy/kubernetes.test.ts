import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { namesFor, priorities } from '@claude-cli/shared/amqp/topology';
import { inParallel } from '@claude-cli/shared/in-parallel';
import { settings } from '@claude-cli/shared/settings';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createConnection } from 'mongoose';
import { parse } from 'yaml';
import { z } from 'zod';
import { executionModel } from '../apps/task-service/src/executions/execution.ts';
import { webhookModel } from '../apps/webhook-dispatcher/src/webhooks/webhook.ts';
import { deploy } from './testing/paths.ts';
import { environmentOf, servicesOf, workloadsOf } from './testing/pods.ts';
import { componentsOf, manifestsOf, renderer, Workbench } from './testing/render.ts';
import { type Manifest, problemsOf } from './testing/schemas.ts';

const overlays = readdirSync(join(deploy, 'k8s/overlays')).sort();
const components = readdirSync(join(deploy, 'k8s/components')).sort();
/** Renderings at once. */
const renderings = 2;
/** Together these are too much of a good thing: both give the same store, or the same pod another kernel. */
const alternatives = ['dev-stores', 'external-stores', 'ingress', 'runner-gvisor'];

if (!renderer) process.stderr.write('NOTICE: neither kubectl nor kustomize is installed: overlays are not rendered\n');

const trigger = z.object({ type: z.string(), metadata: z.record(z.string(), z.string()) });

let workbench: Workbench;
const variants: { name: string; components: string[]; manifests: Manifest[] }[] = [];

beforeAll(async () => {
  if (!renderer) return;
  workbench = await Workbench.open(join(tmpdir(), `k8s-${process.pid}`));
  const wanted = await Promise.all(
    overlays.map(async (overlay) => {
      const own = await componentsOf(overlay);
      const order = [...own, ...components.filter((name) => !own.includes(name))];
      const all = order.filter((name) => !alternatives.includes(name));
      return [[], own, inOrder(all), ...components.map((name) => [name])].map((chosen) => ({ overlay, chosen }));
    }),
  );
  await inParallel(wanted.flat(), renderings, async ({ overlay, chosen }) => {
    const manifests = await workbench.render(overlay, chosen);
    variants.push({ name: `${overlay} with ${chosen.join(', ') || 'nothing'}`, components: chosen, manifests });
  });
});

afterAll(async () => workbench?.[Symbol.asyncDispose]());

/** KEDA comes before those that tell it where the stores are. */
function inOrder(names: string[]): string[] {
  return names.toSorted((one, other) => Number(other === 'keda') - Number(one === 'keda'));
}

/** What the check finds in each variant, under the variant's name. */
async function findings(check: (manifests: Manifest[]) => string[] | Promise<string[]>): Promise<object> {
  const found = await Promise.all(variants.map(async ({ name, manifests }) => [name, await check(manifests)] as const));
  return Object.fromEntries(found.filter(([, problems]) => problems.length > 0));
}

(renderer ? describe : describe.skip)('every overlay with every component', () => {
  test('renders', () => {
    expect(variants).toHaveLength(overlays.length * (components.length + 3));
    for (const { manifests } of variants) expect(servicesOf(manifests)).toHaveLength(6);
  });

  test('follows the schemas of Kubernetes and of the operators', async () => {
    const known = new Map<string, Promise<string[]>>();
    const problems = async (manifest: Manifest) => {
      const text = JSON.stringify(manifest);
      const asked = known.get(text) ?? problemsOf(manifest);
      known.set(text, asked);
      return (await asked).map((problem) => `${manifest.kind} ${manifest.metadata.name}${problem}`);
    };
    expect(await findings(async (all) => (await Promise.all(all.map(problems))).flat())).toEqual({});
  });

  test('has each object in the namespace of the overlay, and once', async () => {
    const check = (manifests: Manifest[]) => {
      const namespace = manifests.find(({ kind }) => kind === 'Namespace')?.metadata.name;
      const ids = manifests.map(({ apiVersion, kind, metadata }) => `${apiVersion} ${kind} ${metadata.name}`);
      const elsewhere = manifests.filter(
        ({ kind, metadata }) => kind !== 'Namespace' && metadata.namespace !== namespace,
      );
      return [
        ...ids.filter((id, index) => ids.indexOf(id) !== index),
        ...elsewhere.map(({ kind, metadata }) => `${kind} ${metadata.name} is in ${metadata.namespace}`),
      ];
    };
    expect(await findings(check)).toEqual({});
  });

  test('asks for pods that Pod Security calls restricted, but for the runner whose commands are sandboxed', async () => {
    const check = (manifests: Manifest[]) =>
      workloadsOf(manifests).flatMap(({ name, pod }) => {
        const own = pod.containers.concat(pod.initContainers ?? []).map(({ securityContext }) => securityContext);
        const unmasked = own.some(({ procMount }) => procMount === 'Unmasked');
        const wrong = {
          runsAsRoot: !pod.securityContext.runAsNonRoot || pod.securityContext.runAsUser === 0,
          usesHost: pod.hostNetwork || pod.hostPID || pod.hostIPC,
          anySystemCall: pod.securityContext.seccompProfile.type !== 'RuntimeDefault',
          gainsPrivileges: own.some((each) => each.allowPrivilegeEscalation || each.privileged),
          hasCapabilities: own.some(({ capabilities }) => capabilities.add || !capabilities.drop.includes('ALL')),
          mountsHost: pod.volumes.some((volume) => 'hostPath' in volume),
          unmasksProc: unmasked && name !== 'command-runner',
          hasToken: pod.automountServiceAccountToken,
          hasVariablesOfOthers: pod.enableServiceLinks,
        };
        return Object.entries(wrong).flatMap(([what, is]) => (is ? [`${name} ${what}`] : []));
      });
    expect(await findings(check)).toEqual({});
    const enforced = variants.map(({ components: chosen, manifests }) => {
      const labels = manifests.find(({ kind }) => kind === 'Namespace')?.metadata.labels ?? {};
      return [chosen.includes('runner-bubblewrap'), labels['pod-security.kubernetes.io/enforce']];
    });
    for (const [sandboxed, level] of enforced) expect(level).toBe(sandboxed ? 'privileged' : 'restricted');
  });

  test('runs services on a file system that they cannot write to, spread over zones and nodes', async () => {
    const check = (manifests: Manifest[]) =>
      servicesOf(manifests).flatMap(({ name, pod, container }) => [
        ...(container.securityContext.readOnlyRootFilesystem ? [] : [`${name} can write`]),
        ...(pod.topologySpreadConstraints?.length === 2 ? [] : [`${name} is not spread`]),
      ]);
    expect(await findings(check)).toEqual({});
  });

  test('migrates each database by the image and the address of the service that owns it', async () => {
    const check = (manifests: Manifest[]) => {
      const jobs = workloadsOf(manifests).filter(({ kind }) => kind === 'Job');
      const migrated = jobs.flatMap(({ pod: { containers } }) =>
        containers.map(({ image, env }) => [image, env.find(({ name }) => name === 'MONGODB_URI')]),
      );
      const owning = servicesOf(manifests).flatMap(({ container: { image, env } }) => {
        const uri = env.find(({ name }) => name === 'MONGODB_URI');
        return uri ? [[image, uri]] : [];
      });
      const textOf = (all: unknown[]) => all.map((each) => JSON.stringify(each)).toSorted();
      const [found, wanted] = [textOf(migrated), textOf(owning)];
      return wanted.length === 5 && found.join() === wanted.join() ? [] : [`migrated are ${found}, not ${wanted}`];
    };
    expect(await findings(check)).toEqual({});
  });

  test('gives each service the time that it takes to stop', async () => {
    const check = (manifests: Manifest[]) =>
      servicesOf(manifests).flatMap(({ name, pod, container }) => {
        const grace = Number(environmentOf(container, manifests).get('SHUTDOWN_GRACE_MS')) / 1000;
        const needed = grace + (container.lifecycle?.preStop.sleep.seconds ?? 0) + 5;
        return (pod.terminationGracePeriodSeconds ?? 30) >= needed ? [] : [`${name} needs ${needed} s`];
      });
    expect(await findings(check)).toEqual({});
  });

  test('selects pods that are there, by policies, budgets and Services, and scales what is there', async () => {
    const check = (manifests: Manifest[]) => {
      const names = new Set(servicesOf(manifests).map(({ name }) => name));
      const count = (kind: string) => manifests.filter((each) => each.kind === kind && names.has(each.metadata.name));
      const scaled = manifests
        .filter(({ kind }) => kind === 'HorizontalPodAutoscaler' || kind === 'ScaledObject')
        .map(({ spec }) => (spec as { scaleTargetRef: { name: string } }).scaleTargetRef.name);
      return [
        ...['Service', 'ServiceAccount', 'PodDisruptionBudget', 'NetworkPolicy'].flatMap((kind) =>
          count(kind).length === names.size ? [] : [`${kind} is missing`],
        ),
        ...(scaled.toSorted().join() === [...names].toSorted().join() ? [] : [`scaled are ${scaled}`]),
      ];
    };
    expect(await findings(check)).toEqual({});
  });

  test('has KEDA look where the services themselves look', async () => {
    const names = namesFor(settings.AMQP_PREFIX.parse(undefined));
    const queues = [...priorities.map(names.executionQueue), names.serviceQueue('webhook-dispatcher.events')];
    const check = (manifests: Manifest[]) => {
      const secretOf = (service: string, variable: string) => {
        const found = servicesOf(manifests).find(({ name }) => name === service);
        return found && environmentOf(found.container, manifests).get(variable);
      };
      const asked = manifests
        .filter(({ kind }) => kind === 'TriggerAuthentication')
        .map(({ metadata, spec }) => {
          const [ref] = (spec as { secretTargetRef: { name: string; key: string }[] }).secretTargetRef;
          return [metadata.name, `secret:${ref?.name}/${ref?.key}`];
        });
      const expected: Record<string, string | undefined> = {
        rabbitmq: secretOf('task-service', 'AMQP_URL'),
        'mongodb-tasks': secretOf('task-service', 'MONGODB_URI'),
        'mongodb-webhooks': secretOf('webhook-dispatcher', 'MONGODB_URI'),
      };
      return asked.flatMap(([name = '', ref]) => (expected[name] === ref ? [] : [`${name} is ${ref}`]));
    };
    const all = variants.filter(({ components: chosen }) => chosen.includes('keda') && !chosen.includes('dev-stores'));
    expect(all.length).toBeGreaterThan(overlays.length);
    for (const { manifests } of all) {
      expect(check(manifests)).toEqual([]);
      const triggers = manifests
        .filter(({ kind }) => kind === 'ScaledObject')
        .flatMap(({ spec }) => (spec as { triggers: { type: string; metadata: { queueName?: string } }[] }).triggers);
      const asked = triggers.flatMap(({ metadata }) => metadata.queueName ?? []);
      expect(asked.toSorted()).toEqual(queues.toSorted());
    }
  });
});

test('KEDA counts by fields that the services store', async () => {
  const files = readFileSync(join(deploy, 'k8s/components/keda/scaled-objects.yaml'), 'utf8');
  const triggers = manifestsOf(files).flatMap(
    ({ spec }) => z.object({ triggers: z.array(trigger) }).parse(spec).triggers,
  );
  const queries = triggers.flatMap(({ type, metadata }) => (type === 'mongodb' ? [metadata] : []));
  const connection = createConnection();
  const stored = { executions: executionModel(connection), webhooks: webhookModel(connection) };
  expect(queries).toHaveLength(3);
  for (const { dbName, collection, query = '' } of queries) {
    const model = stored[collection as keyof typeof stored];
    expect(model.collection.collectionName).toBe(collection);
    expect(dbName).toBe(collection === 'executions' ? 'claude_cli_tasks' : 'claude_cli_webhooks');
    const { $expr, ...fields } = JSON.parse(query);
    const compared = [...JSON.stringify($expr ?? {}).matchAll(/"\$([a-z][\w.]*)"(?!:)/g)].map(([, name = '']) => name);
    for (const field of [...Object.keys(fields), ...compared]) {
      expect([field, model.schema.pathType(field)]).toEqual([field, expect.stringMatching(/real|nested/)]);
    }
  }
});

test('the alert rules of Kubernetes are those of Prometheus', () => {
  const rules = parse(readFileSync(join(deploy, 'k8s/components/prometheus/rules.yaml'), 'utf8'));
  const alerts = parse(readFileSync(join(deploy, 'prometheus/alerts.yaml'), 'utf8'));
  expect(rules.spec.groups).toEqual(alerts.groups);
});
