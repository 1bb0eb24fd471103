import { readFileSync } from 'node:fs';
import { loadFileDescriptorSetFromBuffer } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';

/**
 * Reflection of the contract. Each type in a package definition carries the files of all of them, and ReflectionService
 * decodes those of every type: some hundred times the whole contract, which took 2 s and left 190 MiB at the start of every
 * process. One type says it all.
 * @param services names of those that are told of
 */
export function reflectionOf(services: string[]): ReflectionService {
  const contract = readFileSync(new URL(import.meta.resolve('@claude-cli/proto/descriptor')));
  const types = Object.entries(loadFileDescriptorSetFromBuffer(contract));
  const [first] = types.filter(([, type]) => 'fileDescriptorProtos' in type);
  if (!first) throw new Error('the contract has no types');
  return new ReflectionService(Object.fromEntries([first]), { services });
}
