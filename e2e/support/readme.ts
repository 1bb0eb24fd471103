import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../scripts/platform/paths.ts';

/** What stands in the examples for what everybody has of their own. */
export interface Placeholders {
  url: string;
  token: string;
  projectId: string;
  userId: string;
  sessionId: string;
  taskId: string;
  /** A command that has ended. */
  commandId?: string;
}

/** The examples of one language in a section of a document. */
export function examplesIn(document: string, section: string, language: string): string[] {
  const text = readFileSync(join(root, document), 'utf8');
  const within = new RegExp(`\n## ${section}\n(.*?)(?=\n## )`, 's').exec(text)?.[1] ?? '';
  return [...within.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 'gs'))].map(([, code]) => String(code));
}

/** The examples of one language in the README's section on the SDKs, with somebody's own values in place of the placeholders. */
export function readmeExamples(language: string, values: Placeholders): string[] {
  return examplesIn('README.md', 'SDKs', language).map((code) => filledIn(code, values));
}

/** An example with somebody's own values in place of the placeholders. */
export function filledIn(example: string, values: Placeholders): string {
  const placeholders: [string, string][] = [
    ['http://localhost:8000', values.url],
    ['your-jwt-token', values.token],
    ['YOUR_TOKEN', values.token],
    ['project-uuid', values.projectId],
    ['user-uuid', values.userId],
    ['session-uuid', values.sessionId],
    ['task-uuid', values.taskId],
    ['command-uuid', values.commandId ?? ''],
  ];
  return placeholders.reduce((text, [name, value]) => text.replaceAll(name, value), example);
}
