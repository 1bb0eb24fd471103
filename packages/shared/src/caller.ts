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

/** Who is asking. Travels with every call between services. */
export interface Caller {
  user_id: string;
  role: Role;
  permissions: readonly Permission[];
  /** Session named by the request, when there is one. */
  session_id?: string;
}

/** Nobody has signed in. */
export const anonymous: Caller = { user_id: '', role: 'viewer', permissions: [] };

/** A service acting on its own account, for example when a runner claims work. Shown in histories as this name. */
export function serviceCaller(service: string): Caller {
  return { user_id: service, role: 'admin', permissions: permissionsOf.admin };
}

/** Whether the caller may see and change everything. */
export function isAdmin(caller: Caller): boolean {
  return caller.permissions.includes('admin');
}
