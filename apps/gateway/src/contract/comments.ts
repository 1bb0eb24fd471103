import type { DescEnum, DescField, DescFile, DescMessage, DescMethod, DescService } from '@bufbuild/protobuf';

type Commented = DescMessage | DescField | DescEnum | DescService | DescMethod;

// Numbers of the fields of descriptor.proto that hold the children; a location names an element by such steps.
const inFile = { message: 4, enum: 5, service: 6 };
const inMessage = { field: 2, message: 3, enum: 4 };
const methodOfService = 2;

const commentsOfFile = new WeakMap<DescFile, ReadonlyMap<string, string>>();

/** The comment above an element of the contract, without its line breaks; '' without one. */
export function commentOf(element: Commented): string {
  const file = element.kind === 'field' || element.kind === 'rpc' ? element.parent.file : element.file;
  return commentsIn(file).get(pathOf(element).join('.')) ?? '';
}

function commentsIn(file: DescFile): ReadonlyMap<string, string> {
  const known = commentsOfFile.get(file);
  if (known) return known;
  const locations = file.proto.sourceCodeInfo?.location ?? [];
  const comments = new Map(
    locations.map(({ path, leadingComments }) => [path.join('.'), leadingComments.trim().replaceAll(/\s*\n\s*/g, ' ')]),
  );
  commentsOfFile.set(file, comments);
  return comments;
}

function pathOf(element: Commented): number[] {
  switch (element.kind) {
    case 'service':
      return [inFile.service, element.file.services.indexOf(element)];
    case 'rpc':
      return [...pathOf(element.parent), methodOfService, element.parent.methods.indexOf(element)];
    case 'field':
      return [...pathOf(element.parent), inMessage.field, element.parent.fields.indexOf(element)];
    case 'message':
      return element.parent
        ? [...pathOf(element.parent), inMessage.message, element.parent.proto.nestedType.indexOf(element.proto)]
        : [inFile.message, element.file.messages.indexOf(element)];
    case 'enum':
      return element.parent
        ? [...pathOf(element.parent), inMessage.enum, element.parent.nestedEnums.indexOf(element)]
        : [inFile.enum, element.file.enums.indexOf(element)];
  }
}
