import type { Random } from '@weir/kernel';
import { binding, bindingDeletion, type Change, deletion, network, port, server, subnet } from './facts';

const STEPS = 12;
const SERVERS = 6;
const ELSEWHERE = 900;

/** What tenants want, step by step: servers here, ports elsewhere, and where those are. */
export function history(random: Random): (readonly Change[])[] {
  const here = new Set<number>();
  const there = new Set<number>();
  const steps: Change[][] = [[network(1), subnet(1, 1)]];
  while (steps.length < STEPS) {
    const changes: Change[] = [];
    for (let count = 1 + random.integer(2); count > 0; count--) {
      const number = 1 + random.integer(SERVERS);
      const other = 100 + number;
      switch (random.integer(3)) {
        case 0:
          if (here.delete(number)) changes.push(deletion('server', number), deletion('port', number));
          else if (here.add(number)) changes.push(server(number), port(number, 1, number));
          break;
        case 1:
          if (there.delete(other)) changes.push(bindingDeletion(other), deletion('port', other));
          else if (there.add(other)) changes.push(port(other, 1, ELSEWHERE), binding(other));
          break;
        default:
          if (there.has(other)) changes.push(binding(other, `203.0.113.${1 + random.integer(200)}`));
      }
    }
    // One commit says one thing of each fact.
    const last = new Map(changes.map((change) => [`${change.kind}/${change.id}`, change]));
    if (last.size > 0) steps.push([...last.values()]);
  }
  return steps;
}
