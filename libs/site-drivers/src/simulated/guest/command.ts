import type { Clock, Random, Timers } from '@weir/kernel';
import type { Output } from './output';
import type { Stack } from './stack';

export interface CommandContext {
  readonly hostname: string;
  readonly stack: Stack;
  readonly output: Output;
  /** Its deadline has passed. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
}

/** Answers its exit status. */
export type Command = (args: readonly string[], context: CommandContext) => number | Promise<number>;

/** Something that the command has elsewhere, and a simulated instance does not. */
export class NotSimulated extends Error {}
