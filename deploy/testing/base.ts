import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { deploy } from './paths.ts';
import { manifestsOf } from './render.ts';
import type { Manifest } from './schemas.ts';

interface Kustomization {
  resources: string[];
  configMapGenerator: { name: string; literals: string[] }[];
}

/** The objects of the base as they are written, with the ConfigMaps that would be made: readable without kustomize. */
export function writtenBase(): Manifest[] {
  const directory = join(deploy, 'k8s/base');
  const read = (file: string) => readFileSync(join(directory, file), 'utf8');
  const { resources, configMapGenerator }: Kustomization = parse(read('kustomization.yaml'));
  const configMaps = configMapGenerator.map(({ name, literals }) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name },
    data: Object.fromEntries(literals.map((literal) => literal.split(/=(.*)/s).slice(0, 2))),
  }));
  return [...configMaps, ...resources.flatMap((file) => manifestsOf(read(file)))];
}
