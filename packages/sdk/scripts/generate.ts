// Usage: npm run generate -w packages/sdk
import { mkdirSync, writeFileSync } from 'node:fs';
import { readModel } from './document.ts';
import { modelsModule, resourcesModule as pythonResources } from './python.ts';
import { operationsModule, resourcesModule, typesModule } from './typescript.ts';

const root = new URL('../../../', import.meta.url);
const model = readModel(new URL('docs/openapi.json', root));

write(new URL('packages/sdk/src/gen/', root), {
  'types.ts': typesModule(model),
  'operations.ts': operationsModule(model),
  'resources.ts': resourcesModule(model),
});
write(new URL('sdks/python/claude_cli_sdk/gen/', root), {
  '__init__.py': '',
  'models.py': modelsModule(model),
  'resources.py': pythonResources(model),
});

function write(directory: URL, files: Record<string, string>): void {
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(new URL(name, directory), text);
}
