import { z } from 'zod';
import { deliverable, time } from './deliverable.ts';

/** Events of the platform itself. */
export const systemEvents = {
  'system.maintenance': deliverable('system.maintenance', {
    description: 'System maintenance scheduled, begun or over',
    data: z.object({
      status: z.enum(['none', 'announced', 'active']),
      message: z.string().nullable(),
      starts_at: time.nullable(),
      ends_at: time.nullable(),
    }),
    dataOf: ({ data: { status, message, starts_at, ends_at } }) => ({ status, message, starts_at, ends_at }),
    example: {
      status: 'announced',
      message: 'Database upgrade',
      starts_at: '2025-07-30T22:00:00Z',
      ends_at: '2025-07-30T23:00:00Z',
    },
    adminOnly: true,
  }),
  'system.alert': deliverable('system.alert', {
    description: 'System alert triggered',
    data: z.object({
      level: z.string(),
      title: z.string(),
      message: z.string(),
      details: z.record(z.string(), z.unknown()),
    }),
    dataOf: ({ data: { level, title, message, details } }) => ({ level, title, message, details }),
    example: {
      level: 'warning',
      title: 'High queue load',
      message: 'More than 1,000 executions wait',
      details: { waiting: 1_042 },
    },
    adminOnly: true,
  }),
} as const;
