import type { Logger } from '@weir/kernel';
import type { FactLine } from '@weir/cascade';
import { type FactChange, type FactKind, factSchemas } from '@weir/topology';

/** The change that a line tells, of a kind that we know and as agreed. Fields that a later version added stay in it. */
export function changeOf(line: FactLine): FactChange | undefined {
  const { kind, id } = line;
  if (!isFactKind(kind)) return undefined;
  if (line.type === 'delete') return { op: 'delete', kind, id };
  if (!factSchemas[kind].safeParse(line.body).success) return undefined;
  return { op: 'upsert', kind, id, body: line.body } as unknown as FactChange;
}

export function changesOf(lines: readonly FactLine[]): FactChange[] {
  return lines.map(changeOf).filter((change) => change !== undefined);
}

/** Passes over what cannot be used, loudly: what was there of it stays. Unknown kinds are kept, and named. */
export class FactFilter {
  readonly unknownKinds = new Set<string>();

  constructor(private readonly logger: Logger) {}

  readable(lines: readonly FactLine[]): FactLine[] {
    return lines.filter((line) => this.isReadable(line));
  }

  private isReadable(line: FactLine): boolean {
    const { kind, id } = line;
    if (!isFactKind(kind)) {
      if (!this.unknownKinds.has(kind)) this.logger.warn('Facts of an unknown kind are kept and not used', { kind });
      this.unknownKinds.add(kind);
      return true;
    }
    if (line.type === 'delete') return true;
    const parsed = factSchemas[kind].safeParse(line.body);
    if (!parsed.success) this.logger.error('A fact is malformed and is passed over', { kind, id, error: parsed.error });
    return parsed.success;
  }
}

function isFactKind(kind: string): kind is FactKind {
  return Object.hasOwn(factSchemas, kind);
}
