import type { Id, Random } from '@weir/kernel';
import { chosen } from './scope';

/** New ids of resources, chosen at the edge. */
export class Identifiers {
  constructor(private readonly random: Random) {}

  next<Kind extends string>(): Id<Kind> {
    return chosen('id', () => this.random.uuid() as Id<Kind>);
  }
}
