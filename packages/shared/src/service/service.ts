import type { ServedService } from '../grpc/server.ts';
import { startGrpcServer } from '../grpc/server.ts';
import { createLogger, type Logger } from '../logger.ts';
import { readSettings, type SettingName, type Settings } from '../settings.ts';
import { watchPool } from '../telemetry/pool.ts';
import { startTelemetry } from '../telemetry/start.ts';
import { startAdmin } from './admin.ts';
import { type DiagnosisExtra, diagnostics } from './diagnose.ts';
import { Resources } from './resources.ts';

const processSettings = [
  'HOST',
  'GRPC_PORT',
  'ADMIN_PORT',
  'LOG_LEVEL',
  'SHUTDOWN_GRACE_MS',
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'TRACE_SAMPLE_RATIO',
] as const satisfies SettingName[];

/** What every service starts from. */
export interface BaseContext<Name extends SettingName> {
  config: Settings<Name>;
  log: Logger;
  /** Database, broker and other services. */
  resources: Resources;
}

/** A service, as data: what it needs, what it serves and what it keeps running. */
export interface Service<Name extends SettingName, Context> {
  name: string;
  /** Settings that it reads besides those of every process. */
  settings: readonly Name[];
  /** Build the context that handlers, consumers and timers are given. */
  context(base: BaseContext<Name>): Context | Promise<Context>;
  /** gRPC services with their handlers. */
  serves?: readonly ServedService<Context>[];
  /** Consumers, timers and doors, started in this order and stopped in reverse. */
  runs?: readonly ((ctx: Context) => AsyncDisposable | Promise<AsyncDisposable>)[];
  /** What it adds to its diagnosis. */
  diagnose?: DiagnosisExtra<Context>;
}

/** A service that runs in this process. */
export interface RunningService<Context> extends AsyncDisposable {
  ctx: Context;
  grpcPort: number;
  adminPort: number;
}

/**
 * Start a service. When stopped, it becomes unready, lets calls in flight finish, ends what it runs in reverse order and
 * releases its resources; whoever acquires first is released last.
 */
export async function startService<Name extends SettingName, Context>(
  service: Service<Name, Context>,
  env: Record<string, string | undefined>,
): Promise<RunningService<Context>> {
  const own = readSettings(processSettings, env);
  const config = readSettings(service.settings, env);
  await using starting = new AsyncDisposableStack();
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, TRACE_SAMPLE_RATIO: ratio } = own;
  const telemetry = starting.use(await startTelemetry({ service: service.name, endpoint, ratio }));
  const log = createLogger(service.name, own.LOG_LEVEL, undefined, telemetry.logs);
  telemetry.tellFaults(log);
  const state = { started: false };
  const resources = new Resources(env, log);
  const unready = async () => (state.started ? resources.unready() : ['starting or stopping']);

  const admin = starting.use(await startAdmin(own.HOST, own.ADMIN_PORT, unready));
  starting.use(resources);
  starting.use(watchPool(resources));
  const ctx = await service.context({ config, log, resources });
  for (const run of service.runs ?? []) starting.use(await run(ctx));
  const grpc = await startGrpcServer({
    host: own.HOST,
    port: own.GRPC_PORT,
    services: [...(service.serves ?? []), diagnostics(resources, service.diagnose)],
    ctx,
    log,
    trust: resources.trust,
  });
  starting.defer(() => grpc.stop(own.SHUTDOWN_GRACE_MS / 2));
  starting.defer(() => {
    state.started = false;
  });
  state.started = true;
  log.info({ grpc_port: grpc.port, admin_port: admin.port }, 'ready');
  const running = starting.move();
  return { ctx, grpcPort: grpc.port, adminPort: admin.port, [Symbol.asyncDispose]: () => running.disposeAsync() };
}
