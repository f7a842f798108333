import type { Clock, Random } from '@weir/kernel';
import { Journal } from '../journal';
import { MemoryFactStore } from './fact-store';

export * from './fact-store';
export * from './link';
export * from './membership';
export * from './slice';
export type { PublisherSource } from './transport';

/** A journal that a restart forgets: of the millisecond of now. */
export function memoryJournal(clock: Clock, random: Random): Journal {
  return new Journal(new MemoryFactStore({ generation: clock.now() }), clock, random);
}
