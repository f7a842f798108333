import type { Id, Random } from '@weir/kernel';

/** New ids of resources, chosen at the edge. */
export class Identifiers {
  constructor(private readonly random: Random) {}

  next<Kind extends string>(): Id<Kind> {
    return this.random.uuid() as Id<Kind>;
  }
}
