import { z } from 'zod';
import type { Manifest } from './schemas.ts';

const anything = z.record(z.string(), z.unknown());

const container = z.object({
  name: z.string(),
  image: z.string(),
  env: z
    .array(
      z.object({
        name: z.string(),
        value: z.string().optional(),
        valueFrom: z
          .object({ secretKeyRef: z.object({ name: z.string(), key: z.string(), optional: z.boolean().optional() }) })
          .optional(),
      }),
    )
    .default([]),
  envFrom: z.array(z.object({ configMapRef: z.object({ name: z.string() }) })).default([]),
  ports: z.array(z.object({ name: z.string(), containerPort: z.number() })).default([]),
  resources: z.object({
    requests: z.object({ cpu: z.string(), memory: z.string(), 'ephemeral-storage': z.string() }),
    limits: z.object({ memory: z.string(), 'ephemeral-storage': z.string() }),
  }),
  securityContext: z.object({
    allowPrivilegeEscalation: z.boolean(),
    readOnlyRootFilesystem: z.boolean(),
    capabilities: z.object({ drop: z.array(z.string()), add: z.array(z.string()).optional() }),
    privileged: z.boolean().optional(),
    procMount: z.string().optional(),
    seccompProfile: z.object({ type: z.string() }).optional(),
    appArmorProfile: z.object({ type: z.string() }).optional(),
  }),
  // What ends by itself has none.
  startupProbe: anything.optional(),
  readinessProbe: anything.optional(),
  livenessProbe: anything.optional(),
  lifecycle: z.object({ preStop: z.object({ sleep: z.object({ seconds: z.number() }) }) }).optional(),
});

const template = z.object({
  metadata: z.object({ labels: z.record(z.string(), z.string()) }),
  spec: z.object({
    serviceAccountName: z.string().optional(),
    automountServiceAccountToken: z.boolean(),
    enableServiceLinks: z.boolean(),
    hostNetwork: z.boolean().optional(),
    hostPID: z.boolean().optional(),
    hostIPC: z.boolean().optional(),
    terminationGracePeriodSeconds: z.number().optional(),
    securityContext: z.object({
      runAsNonRoot: z.boolean(),
      runAsUser: z.number(),
      seccompProfile: z.object({ type: z.string() }),
    }),
    topologySpreadConstraints: z.array(anything).optional(),
    containers: z.array(container),
    initContainers: z.array(container).optional(),
    volumes: z.array(anything).default([]),
  }),
});

/** What makes pods. */
export interface Workload {
  kind: string;
  name: string;
  labels: Record<string, string>;
  pod: z.infer<typeof template>['spec'];
}

/** One of the containers of a workload. */
export type Container = z.infer<typeof container>;

/** What a container says of its variables. */
export type Declared = Pick<Container, 'env' | 'envFrom'>;

const declaring = z.object({
  spec: z.object({
    template: z.object({ spec: z.object({ containers: z.array(container.pick({ env: true, envFrom: true })) }) }),
  }),
});

/** The first container of a Deployment that is not yet complete. */
export function declaredBy(deployment: Manifest): Declared {
  const [first] = declaring.parse(deployment).spec.template.spec.containers;
  if (!first) throw new Error(`${deployment.metadata.name} has no container`);
  return first;
}

/** What makes pods among the objects: of operators' resources, which make theirs by themselves, nothing. */
export function workloadsOf(manifests: readonly Manifest[]): Workload[] {
  return manifests
    .filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet' || kind === 'Job')
    .map(({ kind, metadata, spec }) => {
      const made = template.parse((spec as { template: unknown }).template);
      return { kind, name: metadata.name, labels: made.metadata.labels, pod: made.spec };
    });
}

/** Those of our own services. */
export function servicesOf(manifests: readonly Manifest[]): (Workload & { container: Container })[] {
  return workloadsOf(manifests).flatMap((workload) => {
    const [container] = workload.pod.containers.filter(({ name }) => name === 'service');
    return container ? [{ ...workload, container }] : [];
  });
}

/** The variables of a container, those of its ConfigMaps included. Of a variable that a Secret gives, `secret:<name>/<key>`. */
export function environmentOf({ env, envFrom }: Declared, manifests: readonly Manifest[]): Map<string, string> {
  const configured = envFrom.flatMap(({ configMapRef }) => {
    const found = manifests.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === configMapRef.name);
    if (!found) throw new Error(`there is no ConfigMap ${configMapRef.name}`);
    return Object.entries(found.data as Record<string, string>);
  });
  const own = env.map(({ name, value, valueFrom }) => {
    const secret = valueFrom?.secretKeyRef;
    return [name, secret ? `secret:${secret.name}/${secret.key}` : (value ?? '')] as const;
  });
  return new Map([...configured, ...own]);
}
