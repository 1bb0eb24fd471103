import { deliverableTypes, entryOf } from '@claude-cli/shared/webhooks/catalog';

/** Every type of event as the Markdown table of docs/webhooks.md. */
export function catalogTable(): string {
  const rows = deliverableTypes.map((type) => {
    const { description, data, byNameOnly, adminOnly } = entryOf(type);
    const notes = [byNameOnly && 'not in `*`', adminOnly && 'admins only'].filter(Boolean).join(', ');
    const fields = Object.keys(data.shape).map((name) => `\`${name}\``);
    return `| \`${type}\` | ${description} | ${fields.join(', ')} | ${notes} |`;
  });
  return ['| Event | What has happened | `data` | |', '| --- | --- | --- | --- |', ...rows].join('\n');
}
