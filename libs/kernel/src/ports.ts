/** Wall-clock and monotonic time, in milliseconds. */
export interface Clock {
  /** Milliseconds since the epoch; may jump. */
  now(): number;
  /** Milliseconds from an arbitrary start; never goes back. Deadlines and silence are measured with it. */
  monotonic(): number;
}

export type Cancel = () => void;

export interface Timers {
  /** Calls `action` once after `ms`; the answer cancels it. A pending timer does not keep a process alive. */
  after(ms: number, action: () => void): Cancel;
  sleep(ms: number): Promise<void>;
}

export interface Random {
  /** A random UUID (version 4). */
  uuid(): string;
  /** An integer from 0 to `below` - 1. */
  integer(below: number): number;
  bytes(count: number): Uint8Array;
}

/** One JSON line per call; never given a secret. */
export interface Logger {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export const silentLogger: Logger = { info: () => undefined, warn: () => undefined, error: () => undefined };
