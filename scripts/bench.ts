// Usage: npm run bench -- <name> [arguments]
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { onInterrupt } from './interrupt.ts';
import { root } from './platform/paths.ts';
import { reportFailure, SetupError } from './platform/setup-error.ts';
import { generate, runTool } from './tools.ts';

const dir = join(root, 'bench');

/** A benchmark is a file bench/<name>.ts. */
function benchmarks(): string[] {
  const files = readdirSync(dir).filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'));
  return files.map((file) => file.slice(0, -'.ts'.length)).sort();
}

async function main([name, ...args]: string[]): Promise<number> {
  const known = benchmarks();
  if (name === undefined || name === '--help') {
    console.log(`Benchmarks, run by npm run bench -- <name>:\n${known.map((each) => `  ${each}`).join('\n')}`);
    return 0;
  }
  if (!known.includes(name))
    throw new SetupError(`There is no benchmark ${name}: npm run bench lists those that there are.`);
  const signal = onInterrupt();
  if ((await generate(signal)) !== 0)
    throw new SetupError('Generating code from the contract failed: mend what is named above.');
  return runTool('node', [join(dir, `${name}.ts`), ...args], { signal, cwd: dir });
}

process.exit(await main(process.argv.slice(2)).catch(reportFailure));
