import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const manifest = createRequire(import.meta.url).resolve('swagger-ui-dist/package.json');
const { version }: { version: string } = JSON.parse(readFileSync(manifest, 'utf8'));

/** Where the files of the page are. The address names their version, so that browsers may keep them. */
const base = `/docs/swagger-ui-${version}/`;

/** The files that the page loads, by the last part of their address. */
const files: Readonly<Record<string, string>> = {
  'swagger-ui.css': join(dirname(manifest), 'swagger-ui.css'),
  'swagger-ui-bundle.js': join(dirname(manifest), 'swagger-ui-bundle.js'),
  'favicon-32x32.png': join(dirname(manifest), 'favicon-32x32.png'),
};

const initializer = fileURLToPath(new URL('swagger-initializer.js', import.meta.url));

/** A file of the page. */
export interface PageFile {
  address: string;
  /** Where it is on disk. */
  path: string;
  /** Whether what is at its address never changes. */
  isImmutable: boolean;
}

/** Everything that the page loads, besides the document itself. */
export const pageFiles: readonly PageFile[] = [
  ...Object.entries(files).map(([name, path]) => ({ address: base + name, path, isImmutable: true })),
  { address: '/docs/swagger-initializer.js', path: initializer, isImmutable: false },
];

/** The page that shows the document by Swagger UI. */
export const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Claude CLI Platform</title>
    <link rel="stylesheet" href="${base}swagger-ui.css">
    <link rel="icon" type="image/png" sizes="32x32" href="${base}favicon-32x32.png">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="${base}swagger-ui-bundle.js"></script>
    <script src="/docs/swagger-initializer.js"></script>
  </body>
</html>
`;

/** What the page may do: its own files, and requests to this installation. Icons of the style sheet are data. */
export const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');
