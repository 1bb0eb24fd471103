import type { Role } from '@claude-cli/shared/caller';
import { type Connection, type Model, Schema } from 'mongoose';

/** A stored account. */
export interface User {
  _id: string;
  username: string;
  /** Folded name, unique: `Admin` and `admin` are one account. */
  username_key: string;
  email: string;
  full_name: string;
  avatar_url: string | null;
  role: Role;
  /** Argon2id, PHC string. */
  password_hash: string;
  /** Hash of the configured password that the account was seeded with; null for accounts made by people. */
  seed_hash: string | null;
  disabled_at: Date | null;
  created_at: Date;
  last_login: Date | null;
  preferences: Record<string, unknown>;
}

/** Accounts. */
export type UserModel = Model<User>;

const schema = new Schema<User>(
  {
    _id: { type: String, required: true },
    username: { type: String, required: true },
    username_key: { type: String, required: true, unique: true },
    email: { type: String, required: true },
    full_name: { type: String, required: true },
    avatar_url: { type: String, default: null },
    role: { type: String, required: true },
    password_hash: { type: String, required: true },
    seed_hash: { type: String, default: null },
    disabled_at: { type: Date, default: null },
    created_at: { type: Date, required: true },
    last_login: { type: Date, default: null },
    preferences: { type: Schema.Types.Mixed, required: true },
  },
  { collection: 'users', versionKey: false, minimize: false },
);

/** The accounts of a database. */
export function userModel(connection: Connection): UserModel {
  return connection.model<User>('User', schema);
}

/** How names of accounts are compared. */
export function usernameKey(username: string): string {
  return username.normalize('NFKC').toLowerCase();
}

/** Preferences of an account that has chosen none. */
export const defaultPreferences = {
  theme: 'light',
  language: 'en',
  timezone: 'UTC',
  notifications: { email: true, push: false, task_updates: true },
};
