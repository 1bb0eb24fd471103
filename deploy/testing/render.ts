import { execFile, execFileSync } from 'node:child_process';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { deploy } from './paths.ts';
import type { Manifest } from './schemas.ts';

/** How long a rendering may take, in milliseconds. */
const timeout = 60_000;

const run = promisify(execFile);

/** What renders on this machine; undefined: nothing. */
export const renderer = [
  { file: 'kubectl', args: ['kustomize'], probe: ['version', '--client'] },
  { file: 'kustomize', args: ['build'], probe: ['version'] },
].find(({ file, probe }) => {
  try {
    execFileSync(file, probe, { stdio: 'ignore', timeout });
    return true;
  } catch {
    return false;
  }
});

/** Objects of a file of YAML, or of what was rendered. */
export function manifestsOf(yaml: string): Manifest[] {
  return parseAllDocuments(yaml).map((document) => {
    if (document.errors.length > 0) throw document.errors[0];
    return document.toJS() as Manifest;
  });
}

/** Components that an overlay has by itself. */
export async function componentsOf(overlay: string): Promise<string[]> {
  const { components = [] } = await kustomization(join(deploy, 'k8s/overlays', overlay));
  return components.map((path) => path.replace('../../components/', ''));
}

/** A copy of the Kubernetes files, in which overlays can be given other components. */
export class Workbench implements AsyncDisposable {
  readonly #path: string;
  #made = 0;

  private constructor(path: string) {
    this.#path = path;
  }

  /** @param path of a directory that it makes and removes */
  static async open(path: string): Promise<Workbench> {
    await cp(join(deploy, 'k8s'), path, { recursive: true });
    return new Workbench(path);
  }

  /** An overlay with these components in the place of its own. */
  async render(overlay: string, components: readonly string[]): Promise<Manifest[]> {
    if (!renderer) throw new Error('neither kubectl nor kustomize is installed');
    const own = await kustomization(join(this.#path, 'overlays', overlay));
    const variant = join(this.#path, 'overlays', `${overlay}-${this.#made++}`);
    await mkdir(variant);
    const changed = { ...own, components: components.map((name) => `../../components/${name}`) };
    await writeFile(join(variant, 'kustomization.yaml'), stringify(changed));
    const options = { timeout, maxBuffer: 16 * 1024 * 1024 };
    const { stdout } = await run(renderer.file, [...renderer.args, variant], options);
    return manifestsOf(stdout);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#path, { recursive: true });
  }
}

async function kustomization(directory: string): Promise<{ components?: string[] }> {
  return parse(await readFile(join(directory, 'kustomization.yaml'), 'utf8'));
}
