import { writeSync } from 'node:fs';

/** Synchronous: what is acknowledged must be in the pipe before the end. Waits while the pipe is full. */
export function tell(line: string): void {
  for (;;) {
    try {
      writeSync(1, `${line}\n`);
      return;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
    }
  }
}
