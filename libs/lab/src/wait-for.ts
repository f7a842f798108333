import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitOptions {
  /** What is waited for, for the message: `the lease of web-1`. */
  readonly what: string;
  readonly deadlineMs?: number;
  readonly everyMs?: number;
}

/** A condition did not hold within its deadline; the cause is what it threw last. */
export class DeadlinePassed extends Error {
  constructor(what: string, deadlineMs: number, cause?: unknown) {
    super(`Waited ${deadlineMs} ms in vain for ${what}`, cause === undefined ? undefined : { cause });
    this.name = 'DeadlinePassed';
  }
}

const DEADLINE_MS = 5_000;
const EVERY_MS = 20;

/** Polls until the condition answers something truthy, and answers that. A condition that throws does not hold yet. */
export async function waitFor<T>(condition: () => T | Promise<T>, options: WaitOptions): Promise<NonNullable<T>> {
  const deadlineMs = options.deadlineMs ?? DEADLINE_MS;
  const end = performance.now() + deadlineMs;
  for (;;) {
    let cause: unknown;
    try {
      const value = await condition();
      if (value) return value;
    } catch (error) {
      cause = error;
    }
    if (performance.now() >= end) throw new DeadlinePassed(options.what, deadlineMs, cause);
    await sleep(options.everyMs ?? EVERY_MS);
  }
}
