import type { z } from 'zod';
import { mongodbCommunity, rabbitmqCluster } from './operators.ts';
import { unread } from './unread.ts';

/** A Kubernetes object as it is written in YAML. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  [field: string]: unknown;
}

/** What a package has of a kind: the schema, compiled, as a method that throws. */
interface Model {
  prototype: { validate(): void };
}

/** Which package knows the kinds of a group. */
const packages: Readonly<Record<string, string>> = {
  apps: 'kubernetes-models',
  autoscaling: 'kubernetes-models',
  batch: 'kubernetes-models',
  'networking.k8s.io': 'kubernetes-models',
  policy: 'kubernetes-models',
  'cert-manager.io': '@kubernetes-models/cert-manager',
  'gateway.networking.k8s.io': '@kubernetes-models/gateway-api',
  'keda.sh': '@kubernetes-models/keda',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
};

/** The operators whose schemas no package has. */
const ownSchemas: Readonly<Record<string, z.ZodType>> = {
  'mongodbcommunity.mongodb.com/v1/MongoDBCommunity': mongodbCommunity,
  'rabbitmq.com/v1beta1/RabbitmqCluster': rabbitmqCluster,
};

/** What is wrong with an object, by the schema of its kind; a field that its kind does not have is wrong, too. */
export async function problemsOf(manifest: Manifest): Promise<string[]> {
  const kind = `${manifest.apiVersion}/${manifest.kind}`;
  const own = ownSchemas[kind];
  if (own) {
    const { error } = own.safeParse(manifest);
    return (error?.issues ?? []).map(({ path, message }) => `/${path.join('/')}: ${message}`);
  }
  const model = await modelOf(manifest);
  if (!model) return [`no schema for ${kind}`];
  const [watched, unreadFields] = unread(manifest);
  try {
    model.prototype.validate.call(watched);
  } catch (thrown) {
    return [(thrown as Error).message];
  }
  return unreadFields().map((path) => `${path}: no such field`);
}

async function modelOf({ apiVersion, kind }: Manifest): Promise<Model | undefined> {
  const [group = ''] = apiVersion.split('/');
  const module = apiVersion === 'v1' ? 'kubernetes-models' : packages[group];
  if (!module) return undefined;
  const models: Record<string, Model> = await import(`${module}/${apiVersion}`);
  return models[kind];
}
