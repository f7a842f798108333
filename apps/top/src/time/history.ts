import {
  type AuthoredEvent,
  type Authorship,
  forTenants,
  heldStreams,
  type HistoryEntry,
  historyOf,
  idOfRow,
  keyOfId,
  ownerOf,
  type ResourceKind,
  RESOURCES,
  streamsOf,
  touchedBy,
} from '@weir/domain';
import { type EventStore, isSeal, type Row, type RowReader } from '@weir/event-store';
import { conflict, notFound } from '@weir/kernel';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Caller, isAdmin } from '../identity/authentication';
import { streamRange } from './stream-range';

const LONGEST_NAME = 255;
/** Versions looked at before others have a turn. */
const VERSIONS_PER_TURN = 500;
/** Of one resource with all that it holds; more is told from the log itself, `GET /weir/v1/events`. */
const MAX_EVENTS = 20_000;

/** What became of one thing, from the log alone; today's policy says who may see it. */
export class Histories {
  constructor(
    private readonly log: Pick<EventStore, 'readStream'>,
    private readonly rows: RowReader,
  ) {}

  /** Rejects with `not-found` for what there never was, and for what the caller may not see. */
  async of(
    kind: ResourceKind,
    named: string,
    until: number,
    caller: Caller,
  ): Promise<{ readonly id: string; readonly entries: readonly HistoryEntry[] }> {
    const missing = notFound(`There is no ${kind} '${named.slice(0, 64)}'.`);
    if (named.length > LONGEST_NAME) throw missing;
    const rows = await this.rows.at(until);
    const id = this.idOf(kind, named, rows, caller);
    const events = await this.eventsOf(kind, id, until, rows);
    const entries = historyOf(kind, id, events);
    const own = entries.flatMap(({ differences }) => differences.filter((one) => one.kind === kind && one.id === id));
    const last = own.at(-1);
    if (!last) throw missing;
    if (isAdmin(caller)) return { id, entries };
    if (last.project === null || last.project !== caller.projectId) throw missing;
    return { id, entries: entries.flatMap((entry) => ownPart(entry, caller) ?? []) };
  }

  /** Who made it, by the first event that shows it; undefined for what there never was. */
  async createdBy(kind: ResourceKind, id: string): Promise<Authorship | undefined> {
    const events = await this.eventsOf(kind, id, Infinity, this.rows);
    return historyOf(kind, id, events)[0];
  }

  /** A name means the one live thing of this name that the caller may see; anything else is an id. */
  private idOf(kind: ResourceKind, named: string, rows: RowReader, caller: Caller): string {
    const { table, key } = RESOURCES[kind];
    if (!columnsOf(rows, table).includes('name') || rows.get(table, keyOfId(kind, named))) return named;
    const found = rows.live(table, { name: named }, { limit: 100 });
    const visible = found.filter((row) => isAdmin(caller) || row['project_id'] === caller.projectId);
    const [only, other] = visible;
    if (other) throw conflict(`More than one ${kind} is named '${named}'; use its id.`);
    return only && key.length === 1 ? idOfRow(kind, only) : named;
  }

  private async eventsOf(
    kind: ResourceKind,
    id: string,
    until: number,
    rows: RowReader,
  ): Promise<readonly AuthoredEvent[]> {
    const row = rows.get(RESOURCES[kind].table, keyOfId(kind, id)) ?? (await this.lastRow(kind, id));
    const streams = streamsOf(kind, id, ownerOf(kind, row));
    const own = await this.read(streams, until);
    // A server's history tells of its ports too.
    const held = kind === 'server' ? heldStreams(own).filter((stream) => stream.startsWith('port-')) : [];
    const all = [...own, ...(await this.read(held, until))];
    return all.sort((left, right) => left.position - right.position);
  }

  /** Of what stands in the stream of its owner and is deleted, only an old version of its row still says which that was. */
  private async lastRow(kind: ResourceKind, id: string): Promise<Row | undefined> {
    if (kind !== 'subnet' && kind !== 'router-interface') return undefined;
    let looked = 0;
    for (const { row } of this.rows.versions(RESOURCES[kind].table)) {
      const found = idOfRow(kind, row);
      if (found === id) return row;
      // They come by key.
      if (found > id) return undefined;
      if (++looked % VERSIONS_PER_TURN === 0) await nextTurn();
    }
    return undefined;
  }

  private async read(streams: readonly string[], until: number): Promise<readonly AuthoredEvent[]> {
    const events: AuthoredEvent[] = [];
    for (const stream of streams) {
      for await (const page of streamRange(this.log, stream, 0, until)) {
        events.push(...page.filter((event) => !isSeal(event) && touchedBy(event).length > 0));
        if (events.length > MAX_EVENTS)
          throw conflict(`There are more than ${MAX_EVENTS} events of it; read the log itself, page by page.`);
        await nextTurn();
      }
    }
    return events;
  }
}

/** What a tenant sees of it: its own, without how the operator carries it out. */
function ownPart(entry: HistoryEntry, caller: Caller): HistoryEntry | undefined {
  const differences = entry.differences
    .filter(({ project }) => project === caller.projectId)
    .flatMap((difference) => forTenants(difference) ?? []);
  return differences.length > 0 ? { ...entry, differences } : undefined;
}

function columnsOf(rows: RowReader, table: string): readonly string[] {
  return Object.keys(rows.tables.find(({ name }) => name === table)?.columns ?? {});
}
