/** An instruction of a Dockerfile, its lines joined. */
export interface Instruction {
  name: string;
  args: string;
}

/** A stage: from what it starts, and what it does. */
export interface Stage {
  name: string;
  from: string;
  instructions: Instruction[];
}

/** The stages of a Dockerfile. @throws Error at a line that is no instruction */
export function stagesOf(dockerfile: string): Stage[] {
  const lines = dockerfile
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n\s*/g, '')
    .split('\n');
  const stages: Stage[] = [];
  for (const line of lines.filter((each) => each.trim() !== '')) {
    const [, name, args = ''] = /^([A-Z]+)\s+(.+)$/.exec(line) ?? [];
    if (!name) throw new Error(`no instruction: ${line}`);
    const [, from = '', alias = ''] = (name === 'FROM' && /^(\S+) AS (\S+)$/.exec(args)) || [];
    if (name === 'FROM') stages.push({ name: alias, from, instructions: [] });
    else stages.at(-1)?.instructions.push({ name, args });
  }
  return stages;
}
