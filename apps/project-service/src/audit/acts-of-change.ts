import { type AuditAct, newEvent, type PlatformEvent } from '@claude-cli/shared/events';
import type { User } from '../users/user.ts';
import type { AuditAction } from './record.ts';

/** Who changes an account, and from where. */
export interface ChangedBy {
  actor: string;
  address: string | null;
  request_id: string | null;
}

/** Fields whose change is recorded by their names alone. */
const namedFields = ['email', 'tier'] as const satisfies (keyof User)[];

/**
 * What the audit log is told of a change of an account. Read off the change itself, so that no way to change an account can
 * forget it. To be stored by the update that makes it true.
 */
export function actsOfChange(before: User, set: Partial<User>, by: ChangedBy): PlatformEvent<'audit.act'>[] {
  const about = { actor: by.actor, project_id: null };
  const { address, request_id } = by;
  return changes(before, set).map(({ action, details = {}, target = { type: 'user', id: before._id } }) =>
    newEvent('audit.act', about, { action, outcome: 'success', target, address, request_id, details }),
  );
}

interface Found {
  action: AuditAction;
  details?: Record<string, unknown>;
  target?: AuditAct['target'];
}

function changes(before: User, set: Partial<User>): Found[] {
  const { role, disabled_at, password_hash, api_keys, token_version, revoked_tokens } = set;
  const found: Found[] = [];
  if (role !== undefined && role !== before.role) {
    found.push({ action: 'user.role_changed', details: { from: before.role, to: role } });
  }
  if (disabled_at !== undefined && !disabled_at !== !before.disabled_at) {
    found.push({ action: disabled_at ? 'user.disabled' : 'user.enabled' });
  }
  if (password_hash !== undefined) found.push({ action: 'user.password_changed' });
  const fields = namedFields.filter((field) => set[field] !== undefined && set[field] !== before[field]);
  if (fields.length > 0) found.push({ action: 'user.updated', details: { fields } });
  if (api_keys) found.push(...changedKeys(before.api_keys, api_keys));
  const revokes = token_version !== undefined || revoked_tokens !== undefined;
  // A new password and disabling revoke as well, and say so themselves.
  if (revokes && password_hash === undefined && !disabled_at) {
    found.push({ action: 'auth.logout', details: { everywhere: token_version !== before.token_version } });
  }
  return found;
}

function changedKeys(before: User['api_keys'], after: User['api_keys']): Found[] {
  const describe = (action: AuditAction) => (key: User['api_keys'][number]) => ({
    action,
    target: { type: 'api_key', id: key.id },
    details: { name: key.name, scopes: key.scopes, expires_at: key.expires_at?.toISOString() ?? null },
  });
  const lacks = (keys: User['api_keys']) => (key: User['api_keys'][number]) => !keys.some(({ id }) => id === key.id);
  return [
    ...after.filter(lacks(before)).map(describe('api_key.created')),
    ...before.filter(lacks(after)).map(describe('api_key.deleted')),
  ];
}
