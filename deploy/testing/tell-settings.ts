// Usage: fork('tell-settings.ts', [service]). Starts a service by the environment that it is given, and tells the parent which
// variables it read until it was ready.
import { type Service, startService } from '@claude-cli/shared/service/service';

const [name = ''] = process.argv.slice(2);
const module: Record<string, Service<never, unknown>> = await import(`../../apps/${name}/src/service.ts`);
const service = Object.values(module).find((value) => value.name === name);
if (!service) throw new Error(`apps/${name}/src/service.ts describes no service ${name}`);

const read = new Set<string>();
const env = new Proxy<NodeJS.ProcessEnv>(process.env, {
  get(target, key) {
    if (typeof key === 'string') read.add(key);
    return typeof key === 'string' ? target[key] : undefined;
  },
});
const running = await startService(service, env);
await new Promise((sent) => process.send?.([...read], sent));
await running[Symbol.asyncDispose]();
process.exit(0);
