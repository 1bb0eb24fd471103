import { fileURLToPath } from 'node:url';

/** Directory of the whole source tree. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** Directory of what deploys it. */
export const deploy = fileURLToPath(new URL('..', import.meta.url));
