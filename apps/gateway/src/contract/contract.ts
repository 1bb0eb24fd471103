import { readFileSync } from 'node:fs';
import {
  createFileRegistry,
  type DescExtension,
  type DescField,
  type DescMethod,
  type DescService,
  type FileRegistry,
  fromBinary,
  getOption,
  hasOption,
} from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';

/** The `rest` option of an RPC, with the access level by its name. */
export interface Rest {
  method: string;
  path: string;
  status: number;
  access: string;
  paginated: boolean;
  deadlineMs: number;
  body: boolean;
  /** Codes besides those that follow from access, input and method. */
  errors: readonly string[];
}

/** The `rules` option of a field. Absent strings are '', absent numbers undefined. */
export interface Rules {
  required: boolean;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  format: string;
  pattern: string;
  minItems?: number;
  maxItems?: number;
  example: string;
  default: string;
  maxBytes: number;
  secret: boolean;
  oneOf: readonly string[];
}

const noRules: Rules = {
  required: false,
  format: '',
  pattern: '',
  example: '',
  default: '',
  maxBytes: 0,
  secret: false,
  oneOf: [],
};

/** The contract as buf compiled it, read by reflection: its options are looked up by name, not by generated code. */
export interface Contract {
  services: readonly DescService[];
  /** The app that serves a service; "gateway" is this one, "*" is every one. */
  ownerOf(service: DescService): string;
  /** The endpoint of an RPC; undefined for an internal one. */
  restOf(method: DescMethod): Rest | undefined;
  /** What a field accepts. */
  rulesOf(field: DescField): Rules;
}

/** Read the descriptor image, by default the one that packages/proto generates. */
export function loadContract(image: Uint8Array = readGeneratedImage()): Contract {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
  const owner = extension(registry, 'platform.v1.owner');
  const rest = extension(registry, 'platform.v1.rest');
  const rules = extension(registry, 'platform.v1.rules');
  const access = registry.getEnum('platform.v1.Access');
  return {
    services: [...registry.files].flatMap((file) => file.services),
    ownerOf: (service) => String(getOption(service, owner)),
    restOf: (method) => {
      if (!hasOption(method, rest)) return undefined;
      const option = getOption(method, rest) as unknown as Omit<Rest, 'access'> & { access: number };
      return { ...option, access: access?.value[option.access]?.name ?? 'unspecified' };
    },
    rulesOf: (field) => (hasOption(field, rules) ? (getOption(field, rules) as unknown as Rules) : noRules),
  };
}

function readGeneratedImage(): Uint8Array {
  return readFileSync(new URL(import.meta.resolve('@claude-cli/proto/descriptor')));
}

function extension(registry: FileRegistry, name: string): DescExtension {
  const found = registry.getExtension(name);
  if (!found) throw new Error(`the contract lacks the option ${name}`);
  return found;
}
