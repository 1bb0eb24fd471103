import { randomBytes } from 'node:crypto';
import { chmodSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode, SetupError } from './setup-error.ts';

/** What the platform keeps secret. */
export interface Secrets {
  adminPassword: string;
  jwtSecret: string;
  serviceSecret: string;
  webhookEncryptionKey: string;
  /** Where the admin's password is kept; undefined when ADMIN_PASSWORD names it. */
  passwordFile: string | undefined;
  /** The generated password, while nobody has been shown it. */
  unseenPassword: string | undefined;
  /** From now on somebody has. */
  markSeen(): void;
}

interface SecretsFile {
  admin_password?: string;
  admin_password_seen?: boolean;
  jwt_secret?: string;
  service_secret?: string;
  webhook_encryption_key?: string;
}

/** Secrets from the environment; those it lacks are generated once and kept in the data directory. */
export function loadSecrets(dataDir: string, env: NodeJS.ProcessEnv): Secrets {
  const file = join(dataDir, 'secrets.json');
  const kept = read(file);
  const all: SecretsFile = { ...kept };
  if (!env.ADMIN_PASSWORD) all.admin_password ??= randomBytes(15).toString('base64url');
  if (!env.JWT_SECRET) all.jwt_secret ??= randomBytes(48).toString('base64url');
  if (!env.SERVICE_SECRET) all.service_secret ??= randomBytes(48).toString('base64url');
  if (!env.WEBHOOK_ENCRYPTION_KEY) all.webhook_encryption_key ??= randomBytes(48).toString('base64url');
  if (JSON.stringify(all) !== JSON.stringify(kept)) write(file, all);
  return {
    adminPassword: env.ADMIN_PASSWORD || all.admin_password || '',
    jwtSecret: env.JWT_SECRET || all.jwt_secret || '',
    serviceSecret: env.SERVICE_SECRET || all.service_secret || '',
    webhookEncryptionKey: env.WEBHOOK_ENCRYPTION_KEY || all.webhook_encryption_key || '',
    passwordFile: env.ADMIN_PASSWORD ? undefined : file,
    unseenPassword: env.ADMIN_PASSWORD || all.admin_password_seen ? undefined : all.admin_password,
    markSeen: () => write(file, { ...all, admin_password_seen: true }),
  };
}

function read(file: string): SecretsFile {
  try {
    const parsed = JSON.parse(readFileSync(file, 'utf8')) as SecretsFile;
    chmodSync(file, 0o600);
    return parsed;
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return {};
    throw new SetupError(`Cannot read ${file}: repair it, or delete it to have new secrets generated.`);
  }
}

function write(file: string, secrets: SecretsFile): void {
  // Written aside and renamed: a crash leaves the old file or the new one, never half of one.
  const aside = `${file}.${process.pid}`;
  writeFileSync(aside, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600 });
  renameSync(aside, file);
}
