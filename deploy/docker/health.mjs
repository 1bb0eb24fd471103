// Usage: node health.mjs livez|readyz
// Asks the admin port of the service in this container, and exits with 0 when it says yes.
const [check = 'livez'] = process.argv.slice(2);
const url = `http://127.0.0.1:${process.env.ADMIN_PORT || 9090}/${check}`;
const response = await fetch(url, { signal: AbortSignal.timeout(4_000) }).catch(() => undefined);
process.exit(response?.ok ? 0 : 1);
