import { hostname } from 'node:os';
import { newId } from '@claude-cli/shared/ids';
import { startOf } from './identity.ts';

/** This process, as the records of its commands name it. */
export interface Runner {
  /** Unique per process. */
  runner_id: string;
  host: string;
  runner_pid: number;
  /** When it started; null where that cannot be told. */
  runner_started: string | null;
}

/** The runner that this process is. */
export function thisRunner(): Runner {
  return {
    runner_id: newId(),
    host: hostname(),
    runner_pid: process.pid,
    runner_started: startOf(process.pid) ?? null,
  };
}
