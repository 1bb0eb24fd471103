import { PlatformError } from './errors.ts';

/** What a role permits. */
export const permissionsOf = {
  admin: ['read', 'write', 'execute', 'admin'],
  developer: ['read', 'write', 'execute'],
  viewer: ['read'],
} as const satisfies Record<string, readonly Permission[]>;

/** Something that a role permits. */
export type Permission = 'read' | 'write' | 'execute' | 'admin';

/** Role of an account. */
export type Role = keyof typeof permissionsOf;

/** What a caller showed to be let in: a token of a sign-in, or an API key of a program. */
export interface Credential {
  kind: 'token' | 'api_key';
  /** The token's jti, or the key's id. */
  id: string;
  /** When it expires, in seconds since the epoch; absent for a key that does not. */
  expires_at?: number;
  /** Version of the account's tokens that the token is of. */
  token_version?: number;
}

/** Who is asking. Travels with every call between services. */
export interface Caller {
  user_id: string;
  role: Role;
  /** Those of the role, or fewer for an API key. */
  permissions: readonly Permission[];
  /** How the caller came in; absent for services and for nobody. */
  credential?: Credential;
  /** Address that the request came from, as the gateway knows it; absent for services. */
  address?: string;
  /** Session named by the request, when there is one. */
  session_id?: string;
}

/** Whether a value from outside is one of the permissions. */
export function isPermission(value: unknown): value is Permission {
  return (permissionsOf.admin as readonly unknown[]).includes(value);
}

/** Nobody has signed in. */
export const anonymous: Caller = { user_id: '', role: 'viewer', permissions: [] };

/** A service acting on its own account, for example when a runner claims work. Shown in histories as this name. */
export function serviceCaller(service: string): Caller {
  return { user_id: service, role: 'admin', permissions: permissionsOf.admin };
}

/** @throws PlatformError AUTH_INSUFFICIENT_PERMISSIONS unless the caller has the permission, whatever the role */
export function requirePermission({ permissions }: Pick<Caller, 'permissions'>, required: Permission): void {
  if (permissions.includes(required)) return;
  throw new PlatformError('AUTH_INSUFFICIENT_PERMISSIONS', `This needs the permission ${required}`, { required });
}

/** Whether the caller may see and change everything. */
export function isAdmin(caller: Caller): boolean {
  return caller.permissions.includes('admin');
}
