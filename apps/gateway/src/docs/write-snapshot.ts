// Usage: npm run openapi
import { writeFileSync } from 'node:fs';
import { loadContract } from '../contract/contract.ts';
import { version } from '../version.ts';
import { openapiText, snapshot } from './snapshot.ts';

writeFileSync(snapshot, openapiText(loadContract(), version));
