import { z } from 'zod';

// The resources of the operators whose schemas no package has: what we use of them, as their references describe it, and
// nothing else. Within the pod templates that they are given, Kubernetes' own schema holds.

const metadata = z.strictObject({ name: z.string(), namespace: z.string() });
const quantity = z.string().regex(/^\d+(\.\d+)?(m|Ki|Mi|Gi|Ti)?$/);
const resources = z.strictObject({
  requests: z.record(z.string(), quantity),
  limits: z.record(z.string(), quantity),
});
const secretKey = z.strictObject({ name: z.string(), key: z.string() });
const template = z.strictObject({ spec: z.record(z.string(), z.unknown()) });

/** Community operator of MongoDB: docs/deploy-configure.md and config/crd of mongodb-kubernetes-operator. */
export const mongodbCommunity = z.strictObject({
  apiVersion: z.literal('mongodbcommunity.mongodb.com/v1'),
  kind: z.literal('MongoDBCommunity'),
  metadata,
  spec: z.strictObject({
    type: z.literal('ReplicaSet'),
    members: z.int().min(1),
    version: z.string().regex(/^\d+\.\d+\.\d+$/),
    security: z.strictObject({
      authentication: z.strictObject({ modes: z.array(z.enum(['SCRAM', 'SCRAM-SHA-256', 'SCRAM-SHA-1', 'X509'])) }),
    }),
    users: z.array(
      z.strictObject({
        name: z.string(),
        db: z.string(),
        passwordSecretRef: secretKey,
        scramCredentialsSecretName: z.string(),
        connectionStringSecretName: z.string(),
        roles: z.array(z.strictObject({ name: z.string(), db: z.string() })),
      }),
    ),
    statefulSet: z.strictObject({
      spec: z.strictObject({
        template,
        volumeClaimTemplates: z.array(
          z.strictObject({
            metadata: z.strictObject({ name: z.string() }),
            spec: z.strictObject({
              accessModes: z.array(z.string()),
              resources: z.strictObject({ requests: z.strictObject({ storage: quantity }) }),
            }),
          }),
        ),
      }),
    }),
  }),
});

/** Cluster operator of RabbitMQ: docs/api of cluster-operator. */
export const rabbitmqCluster = z.strictObject({
  apiVersion: z.literal('rabbitmq.com/v1beta1'),
  kind: z.literal('RabbitmqCluster'),
  metadata,
  spec: z.strictObject({
    // An even number has no majority that the loss of half would leave.
    replicas: z.int().refine((count) => count % 2 === 1),
    rabbitmq: z.strictObject({ additionalConfig: z.string() }),
    persistence: z.strictObject({ storage: quantity }),
    resources,
    terminationGracePeriodSeconds: z.int(),
    override: z.strictObject({ statefulSet: z.strictObject({ spec: z.strictObject({ template }) }) }),
  }),
});
