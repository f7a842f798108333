import type { Flow } from '@weir/openflow';
import type { Plan } from '@weir/pipeline';
import { type Kind, KINDS } from './kinds';
import type { Stimulus } from './verdict';

type Origin = Stimulus['from'];
const ORIGINS: readonly Origin[] = ['instance', 'tunnel', 'controller'];

/** Which kinds of rows there were, and how many packets of each origin took them. */
export class Coverage {
  private readonly rows = new Map<Kind, number>();
  private readonly hits = new Map<Kind, Record<Origin, number>>();
  private readonly strangers = new Set<string>();

  see(plan: Plan): void {
    for (const flow of plan.flows) {
      const kinds = KINDS.filter((kind) => kind.is(flow));
      for (const kind of kinds) this.rows.set(kind, (this.rows.get(kind) ?? 0) + 1);
      if (kinds.length !== 1)
        this.strangers.add(`table ${flow.table}, priority ${flow.priority}: ${kinds.length} kinds`);
    }
  }

  hit(flow: Flow, origin: Origin): void {
    const kind = KINDS.find((candidate) => candidate.is(flow));
    if (kind === undefined) return;
    const hits = this.hits.get(kind) ?? { instance: 0, tunnel: 0, controller: 0 };
    hits[origin]++;
    this.hits.set(kind, hits);
  }

  /** Rows that are of no kind, or of two. */
  get unknown(): string[] {
    return [...this.strangers];
  }

  get neverHit(): string[] {
    return KINDS.filter((kind) => !this.hits.has(kind)).map(nameOf);
  }

  toString(): string {
    const lines = KINDS.map((kind) => {
      const hits = this.hits.get(kind) ?? { instance: 0, tunnel: 0, controller: 0 };
      const counts = [this.rows.get(kind) ?? 0, ...ORIGINS.map((origin) => hits[origin])];
      return `${nameOf(kind).padEnd(60)}${counts.map((count) => String(count).padStart(11)).join('')}`;
    });
    const head = `${'kind of row'.padEnd(60)}${['rows', ...ORIGINS].map((name) => name.padStart(11)).join('')}`;
    return [head, ...lines].join('\n');
  }
}

function nameOf({ table, priority, what }: Kind): string {
  return `${table.padEnd(14)}${String(priority ?? '').padStart(6)}  ${what}`;
}
