import { type Diagnosis, DiagnosticsServiceService } from '@claude-cli/proto/platform/v1/system';
import { type ServedService, serve } from '../grpc/server.ts';
import type { Resources } from './resources.ts';

/** What a service adds to the diagnosis of its process. */
export type DiagnosisExtra<Context> = (ctx: Context) => Pick<Diagnosis, 'websocket'>;

/** The diagnostics that every app serves: its database and its broker, checked now. */
export function diagnostics<Context>(resources: Resources, extra?: DiagnosisExtra<Context>): ServedService<Context> {
  return serve<Context, typeof DiagnosticsServiceService>(DiagnosticsServiceService, {
    diagnose: async (ctx) => {
      const diagnosis: Diagnosis = extra ? { ...extra(ctx) } : {};
      if (resources.mongo) diagnosis.database = await checkDatabase(resources.mongo);
      if (resources.bus) diagnosis.broker = { status: resources.bus.connected ? 'healthy' : 'unhealthy' };
      return diagnosis;
    },
  });
}

async function checkDatabase(mongo: NonNullable<Resources['mongo']>): Promise<NonNullable<Diagnosis['database']>> {
  const connections = mongo.pool();
  try {
    return { status: 'healthy', response_time: Math.round((await mongo.ping()) * 100) / 100, connections };
  } catch {
    return { status: 'unhealthy', connections };
  }
}
