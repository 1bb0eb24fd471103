import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { writtenBase } from './testing/base.ts';
import { stagesOf } from './testing/dockerfile.ts';
import { deploy, root } from './testing/paths.ts';

const stages = stagesOf(readFileSync(join(deploy, 'docker/Dockerfile'), 'utf8'));
const apps = globSync('apps/*/package.json', { cwd: root }).map((path) => path.split('/')[1] ?? '');
const compose = parse(readFileSync(join(deploy, 'compose.yaml'), 'utf8'), { merge: true });

interface ComposeService {
  image: string;
  build?: { context: string; dockerfile: string; target: string; args: { APP: string } };
  volumes?: string[];
  networks?: string[];
  depends_on?: Record<string, unknown>;
  healthcheck?: object;
  ports?: string[];
  read_only?: boolean;
  cap_drop?: string[];
  security_opt?: string[];
}
const composed = Object.entries(compose.services as Record<string, ComposeService>);

/** All instructions of a stage and of those that it stands on. */
function inheritedBy(name: string): { name: string; args: string }[] {
  const stage = stages.find((each) => each.name === name);
  return stage ? [...inheritedBy(stage.from), ...stage.instructions] : [];
}

/** Whether .dockerignore leaves a path of the repository to the builder. Its last rule that matches decides. */
function isSent(path: string): boolean {
  const rules = readFileSync(join(root, '.dockerignore'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  const parts = path.split('/');
  const above = parts.map((_, index) => parts.slice(0, index + 1).join('/'));
  return rules.reduce((sent, rule) => {
    return above.some((each) => patternOf(rule.replace('!', '')).test(each)) ? rule.startsWith('!') : sent;
  }, true);
}

/** As Docker reads it: a star stands for what begins with a dot, too. */
function patternOf(rule: string): RegExp {
  const parts = rule.replaceAll('.', '\\.').replaceAll('**/', '§').replaceAll('*', '[^/]*').replaceAll('§', '(.*/)?');
  return new RegExp(`^${parts}$`);
}

test('the builder gets sources, and neither tests, secrets, nor what was installed or generated here', () => {
  for (const path of [
    'apps/gateway/src/main.ts',
    'packages/shared/package.json',
    'deploy/docker/health.mjs',
    '.npmrc',
  ]) {
    expect([path, isSent(path)]).toEqual([path, true]);
  }
  for (const path of [
    ...['node_modules/ajv/package.json', 'packages/proto/gen/descriptor.binpb', '.data/secrets.json', 'deploy/.env'],
    ...['apps/gateway/.env.local', '.git/config', 'packages/shared/src/rules.test.ts', 'deploy/k8s/base/gateway.yaml'],
    ...['packages/shared/src/testing/environment.ts', 'e2e/door.test.ts'],
  ]) {
    expect([path, isSent(path)]).toEqual([path, false]);
  }
});

test('no source that runs needs what the builder does not get', () => {
  const sources = globSync('{apps,packages/shared,packages/proto}/**/src/**/*.ts', { cwd: root });
  const running = sources.filter((path) => isSent(path) && !path.includes('node_modules'));
  expect(running.length).toBeGreaterThan(200);
  const imported = running.flatMap((path) =>
    [...readFileSync(join(root, path), 'utf8').matchAll(/from '([^']*\/testing\/[^']*)'/g)].map(() => path),
  );
  expect(imported).toEqual([]);
});

test('whatever is copied into an image is there, or made by the stage before', () => {
  const names = stages.map(({ name }) => name);
  for (const { name, instructions } of stages) {
    for (const { args } of instructions.filter((each) => each.name === 'COPY')) {
      const [, from, sources = ''] = /^(?:--from=(\S+) )?(.+) \S+$/.exec(args) ?? [];
      if (from) expect(names.slice(0, names.indexOf(name))).toContain(from);
      else
        for (const source of sources.split(' '))
          expect([source, existsSync(join(root, source))]).toEqual([source, true]);
    }
  }
});

test.each(['runner', 'service'])(
  '%s runs as nobody, below an init, with a health check, from the pinned Node line',
  (name) => {
    const all = inheritedBy(name);
    const last = (instruction: string) => all.findLast((each) => each.name === instruction)?.args;
    expect(last('USER')).toBe('1000:1000');
    expect(last('ENTRYPOINT')).toBe('["tini", "--"]');
    expect(last('HEALTHCHECK')).toContain('"/app/health.mjs", "livez"');
    expect(last('CMD')).toBe('["node", "src/main.ts"]');
    expect(all.some(({ args }) => args.includes('npm ci'))).toBe(false);
    const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const image = /NODE_IMAGE=node:(\d+)-slim/.exec(readFileSync(join(deploy, 'docker/Dockerfile'), 'utf8'));
    expect(image?.[1]).toBe(devDependencies.node.split('.')[0]);
  },
);

test('dependencies of development stay in the stages that build', () => {
  const installs = stages.flatMap(({ name, instructions }) =>
    instructions
      .filter(({ args }) => args.includes('npm ci'))
      .map(({ args }) => [name, /--(omit|include)=dev/.exec(args)?.[1]]),
  );
  expect(Object.fromEntries(installs)).toEqual({ generated: 'include', assembled: 'omit' });
});

test('compose and Kubernetes run each app by its own image, the runner by the one with its tools', () => {
  const built = composed.flatMap(([name, { image, build }]) =>
    build ? [[name, image, build.args.APP, build.target]] : [],
  );
  const expected = apps.map((app) => [app, `claude-cli/${app}`, app, app === 'command-runner' ? 'runner' : 'service']);
  expect(built.toSorted()).toEqual(expected.toSorted());
  for (const [, { build }] of composed) if (build) expect(existsSync(join(root, build.dockerfile))).toBe(true);
  const text = JSON.stringify(writtenBase());
  for (const app of apps) expect(text).toContain(`"image":"claude-cli/${app}"`);
});

test('ports of the images, of compose and of Kubernetes are those that the services are told', () => {
  const exposed = inheritedBy('service').find(({ name }) => name === 'EXPOSE')?.args;
  const configMap = (name: string) =>
    writtenBase().find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === name)?.data as Record<
      string,
      string
    >;
  const { GRPC_PORT, ADMIN_PORT } = configMap('platform');
  expect(exposed).toBe(`${GRPC_PORT} ${ADMIN_PORT}`);
  for (const app of ['gateway', 'realtime']) {
    const { PORT } = configMap(app);
    expect(compose.services[app].environment).toMatchObject({ PORT, GRPC_PORT, ADMIN_PORT });
    expect(JSON.stringify(writtenBase())).toContain(`{"name":"http","containerPort":${PORT}}`);
  }
});

test('what compose mounts and waits for is there, and only the doors are open to others', () => {
  const { volumes, networks } = compose as Record<string, object>;
  for (const [name, service] of composed) {
    for (const mount of service.volumes ?? []) {
      const [source = ''] = mount.split(':');
      const there = source.startsWith('.') ? existsSync(join(deploy, source)) : Object.hasOwn(volumes ?? {}, source);
      expect([name, mount, there]).toEqual([name, mount, true]);
    }
    for (const network of service.networks ?? []) expect(Object.keys(networks ?? {})).toContain(network);
    for (const other of Object.keys(service.depends_on ?? {})) {
      expect([name, other, Boolean(compose.services[other]?.healthcheck)]).toEqual([name, other, true]);
    }
    const open = (service.ports ?? []).filter((port) => !port.startsWith('127.0.0.1:'));
    expect([name, open.length]).toEqual([name, name === 'gateway' ? 1 : 0]);
    if (!service.build) continue;
    expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] });
  }
});

test('Prometheus asks every service, and Grafana is shown the dashboards', () => {
  const { scrape_configs, rule_files } = parse(readFileSync(join(deploy, 'prometheus/prometheus.yml'), 'utf8'));
  const jobs = scrape_configs.map(({ job_name }: { job_name: string }) => job_name);
  expect(jobs).toEqual(expect.arrayContaining(apps));
  expect(rule_files.map((path: string) => path.replace('/etc/prometheus/', 'prometheus/'))).toEqual([
    'prometheus/alerts.yaml',
  ]);
  const provider = parse(readFileSync(join(deploy, 'grafana/provisioning/dashboards/dashboards.yaml'), 'utf8'));
  expect(compose.services.grafana.volumes).toContain(`./dashboards:${provider.providers[0].options.path}:ro`);
  const files = globSync('dashboards/*.json', { cwd: deploy });
  for (const file of files) expect(JSON.parse(readFileSync(join(deploy, file), 'utf8')).title).toBeTruthy();
  expect(files.length).toBeGreaterThan(0);
});
