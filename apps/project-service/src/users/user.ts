import type { User_Status, User_Tier, User as UserMessage } from '@claude-cli/proto/platform/v1/users';
import type { Permission, Role } from '@claude-cli/shared/caller';
import { PlatformError } from '@claude-cli/shared/errors';
import type { AnyEvent, UserFacts } from '@claude-cli/shared/events';
import { foldedKey } from '@claude-cli/shared/folded-key';
import type { Aggregate } from '@claude-cli/shared/guarded-update';
import { outboxIndex } from '@claude-cli/shared/outbox';
import { type Connection, type Model, Schema } from 'mongoose';

/** A token of a sign-in that is refused though it has not expired. */
export interface RevokedToken {
  jti: string;
  expires_at: Date;
}

/** An API key of an account. The key itself is known to its owner only. */
export interface StoredApiKey {
  id: string;
  name: string;
  /** First characters of the key, by which people recognize it. */
  prefix: string;
  /** SHA-256 of the key, hexadecimal. */
  hash: string;
  scopes: Permission[];
  created_at: Date;
  expires_at: Date | null;
  /** To the minute. */
  last_used_at: Date | null;
}

/** A stored account. Accounts are disabled, never deleted: histories go on naming them. */
export interface User extends Aggregate<AnyEvent> {
  username: string;
  /** Folded name, unique: `Admin` and `admin` are one account. */
  username_key: string;
  email: string;
  /** Folded mail address, unique. */
  email_key: string;
  full_name: string;
  /** Folded username, full name and mail address, for search by their beginnings. */
  search_keys: string[];
  avatar_url: string | null;
  role: Role;
  tier: User_Tier;
  /** Argon2id, PHC string. */
  password_hash: string;
  /** Hash of the configured password that the account was seeded with; null for accounts made by people. */
  seed_hash: string | null;
  disabled_at: Date | null;
  created_at: Date;
  last_login: Date | null;
  preferences: Record<string, unknown>;
  /** Tokens of another version are revoked. */
  token_version: number;
  revoked_tokens: RevokedToken[];
  /** Within the account, so that whose a key is and what may be done with it is one read, and their number has a bound under any race. */
  api_keys: StoredApiKey[];
}

/** Accounts. */
export type UserModel = Model<User>;

const schema = new Schema<User>(
  {
    _id: { type: String, required: true },
    username: { type: String, required: true },
    username_key: { type: String, required: true, unique: true },
    email: { type: String, required: true },
    email_key: { type: String, required: true },
    full_name: { type: String, required: true },
    search_keys: { type: [String], required: true },
    avatar_url: { type: String, default: null },
    role: { type: String, required: true },
    tier: { type: String, required: true },
    password_hash: { type: String, required: true },
    seed_hash: { type: String, default: null },
    disabled_at: { type: Date, default: null },
    created_at: { type: Date, required: true },
    updated_at: { type: Date, required: true },
    last_login: { type: Date, default: null },
    preferences: { type: Schema.Types.Mixed, required: true },
    token_version: { type: Number, required: true },
    revoked_tokens: { type: [{ _id: false, jti: String, expires_at: Date }], default: [] },
    api_keys: { type: [Schema.Types.Mixed], default: [] } as never,
    version: { type: Number, required: true },
    deleted_at: { type: Date, default: null },
    deleted_by: { type: String, default: null },
    outbox: { type: [Schema.Types.Mixed], default: [] } as never,
  },
  { collection: 'users', versionKey: false, minimize: false },
);
// Partial, since accounts of an earlier version have no such key until they are upgraded.
schema.index({ email_key: 1 }, { unique: true, partialFilterExpression: { email_key: { $type: 'string' } } });
// Sorts end with _id, so that pages never overlap.
schema.index({ deleted_at: 1, created_at: -1, _id: -1 });
schema.index({ deleted_at: 1, username_key: 1, _id: 1 });
schema.index({ deleted_at: 1, last_login: -1, _id: -1 });
schema.index({ role: 1, created_at: -1, _id: -1 });
schema.index({ tier: 1, created_at: -1, _id: -1 });
schema.index({ disabled_at: 1, created_at: -1, _id: -1 });
schema.index({ search_keys: 1 });
schema.index({ 'api_keys.hash': 1 });
schema.index(...outboxIndex);

/** The accounts of a database. */
export function userModel(connection: Connection): UserModel {
  return connection.model<User>('User', schema);
}

/** The keys by which an account is told apart and found, which follow from what it is called. */
export function keysOf({ username, email, full_name }: Pick<User, 'username' | 'email' | 'full_name'>) {
  const [username_key, email_key] = [foldedKey(username), foldedKey(email)];
  const search_keys = [...new Set([username_key, foldedKey(full_name), email_key])];
  return { username_key, email_key, search_keys };
}

/** The error for an account that is not there. */
export function userNotFound(user_id: string): PlatformError {
  return new PlatformError('RESOURCE_NOT_FOUND', 'The user does not exist', { user_id });
}

/** Whether the account can be used. */
export function statusOf({ disabled_at }: Pick<User, 'disabled_at'>): User_Status {
  return disabled_at ? 'disabled' : 'active';
}

/** What events tell about an account. */
export function factsOf(user: User): UserFacts {
  const { _id: user_id, username, role, token_version } = user;
  return { user_id, username, role, status: statusOf(user), token_version };
}

/** An account as the contract shows it to admins. */
export function toProto(user: User): UserMessage {
  return {
    id: user._id,
    username: user.username,
    email: user.email,
    full_name: user.full_name,
    avatar_url: user.avatar_url ?? undefined,
    role: user.role,
    tier: user.tier,
    status: statusOf(user),
    created_at: user.created_at.toISOString(),
    updated_at: user.updated_at.toISOString(),
    last_login: user.last_login?.toISOString(),
  };
}
