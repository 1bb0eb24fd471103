/** Bounds of a project that sets none of its own. */
export const defaultLimits = { max_tasks: 1000, max_concurrent_tasks: 10, storage_limit: '1GB' } as const;
