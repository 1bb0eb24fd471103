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
}

/** The examples of one language in the README's section on the SDKs, with somebody's own values in place of the placeholders. */
export function readmeExamples(language: string, values: Placeholders): string[] {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const section = /\n## SDKs\n(.*?)(?=\n## )/s.exec(readme)?.[1] ?? '';
  const blocks = [...section.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 'gs'))].map(([, code]) =>
    String(code),
  );
  const placeholders: [string, string][] = [
    ['http://localhost:8000', values.url],
    ['your-jwt-token', values.token],
    ['YOUR_TOKEN', values.token],
    ['project-uuid', values.projectId],
    ['user-uuid', values.userId],
    ['session-uuid', values.sessionId],
    ['task-uuid', values.taskId],
  ];
  return blocks.map((code) => placeholders.reduce((text, [name, value]) => text.replaceAll(name, value), code));
}
