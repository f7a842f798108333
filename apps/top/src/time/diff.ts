import { setImmediate as nextTurn } from 'node:timers/promises';
import { z } from 'zod';
import {
  type AttributedDifference,
  Attribution,
  type Difference,
  diffRows,
  forTenants,
  idOfRow,
  keyOfId,
  ownerOf,
  RESOURCE_KINDS,
  type ResourceKind,
  RESOURCES,
  streamsOf,
  type Tables,
  touchedBy,
} from '@weir/domain';
import { type EventStore, isSeal, type Row, type RowReader } from '@weir/event-store';
import { invalid } from '@weir/kernel';
import { streamRange } from './stream-range';

type Log = Pick<EventStore, 'readAll' | 'readStream'>;

/** Up to so many events it is they that say what changed; of more, all rows of both moments are compared. */
const FEW_EVENTS = 20_000;
const EVENTS_PER_TURN = 500;
/** Rows compared before others have a turn, and in one answer: where little changed, the next page is asked for sooner. */
const ROWS_PER_TURN = 500;
const ROWS_PER_PAGE = 20_000;
/** The latest who changed one thing; a site that comes and goes has thousands. */
const MAX_AUTHORS = 50;

/** Where a page ends. */
const cursorSchema = z.union([
  z.strictObject({ kind: z.enum(RESOURCE_KINDS), id: z.string().max(300) }),
  z.strictObject({
    kind: z.enum(RESOURCE_KINDS),
    before: z.string().max(300).nullable(),
    after: z.string().max(300).nullable(),
  }),
]);
type Cursor = z.output<typeof cursorSchema>;

export interface DiffQuery {
  readonly then: number;
  readonly now: number;
  /** Only what belongs to this project. */
  readonly project: string | undefined;
  readonly isTenant: boolean;
  readonly kinds: readonly ResourceKind[];
  readonly limit: number;
  readonly marker: string | undefined;
}

export interface DiffPage {
  readonly differences: readonly AttributedDifference[];
  readonly next: string | null;
}

interface Found {
  readonly differences: readonly { readonly difference: Difference; readonly owner: string | undefined }[];
  readonly next: Cursor | undefined;
}

/** What was created, changed and deleted between two positions, a page at a time, in constant memory. */
export class Diffs {
  constructor(
    private readonly log: Log,
    private readonly rows: RowReader,
    private readonly fewEvents = FEW_EVENTS,
  ) {}

  async page(query: DiffQuery): Promise<DiffPage> {
    if (query.then > query.now) throw invalid(`'then' (position ${query.then}) lies behind 'now' (${query.now}).`);
    const moments = { before: await this.rows.at(query.then), after: await this.rows.at(query.now) };
    const cursor = parseCursor(query.marker);
    const pages = new Pages(moments, query);
    const { differences, next } =
      query.now - query.then <= this.fewEvents
        ? await pages.ofTouched(await this.touched(query), cursor)
        : await pages.ofRows(cursor);
    const attributed: AttributedDifference[] = [];
    for (const { difference, owner } of differences) attributed.push(await this.attributed(difference, owner, query));
    return { differences: attributed, next: next ? encodeCursor(next) : null };
  }

  /** What the events in between change, by kind and id. */
  private async touched({ then, now }: DiffQuery): Promise<ReadonlyMap<ResourceKind, ReadonlySet<string>>> {
    const touched = new Map<ResourceKind, Set<string>>(RESOURCE_KINDS.map((kind) => [kind, new Set()]));
    for (let after = then; after < now;) {
      const events = await this.log.readAll(after, EVENTS_PER_TURN);
      for (const event of events) {
        if (event.position > now || isSeal(event)) continue;
        for (const { kind, id } of touchedBy(event)) touched.get(kind)?.add(id);
      }
      after = events.at(-1)?.position ?? now;
      await nextTurn();
    }
    return touched;
  }

  private async attributed(
    difference: Difference,
    owner: string | undefined,
    { then, now }: DiffQuery,
  ): Promise<AttributedDifference> {
    const attribution = new Attribution([difference]);
    for (const stream of streamsOf(difference.kind, difference.id, owner)) {
      for await (const events of streamRange(this.log, stream, then, now)) {
        attribution.take(events.filter((event) => !isSeal(event)));
        await nextTurn();
      }
    }
    const by = attribution.result().flatMap((result) => result.by);
    return { ...difference, by: by.sort((left, right) => left.position - right.position).slice(-MAX_AUTHORS) };
  }
}

/** The differences between two readings of the tables, in the order of kinds and ids. */
class Pages {
  constructor(
    private readonly moments: { readonly before: RowReader; readonly after: RowReader },
    private readonly query: DiffQuery,
  ) {}

  async ofTouched(touched: ReadonlyMap<ResourceKind, ReadonlySet<string>>, cursor: Cursor | undefined): Promise<Found> {
    if (cursor && !('id' in cursor)) throw badMarker();
    const found: Found['differences'][number][] = [];
    let looked = 0;
    for (const kind of this.kindsFrom(cursor)) {
      for (const id of [...(touched.get(kind) ?? [])].sort()) {
        if (kind === cursor?.kind && id <= cursor.id) continue;
        if (++looked % ROWS_PER_TURN === 0) await nextTurn();
        const { table } = RESOURCES[kind];
        const [before, after] = [this.moments.before, this.moments.after].map((rows) =>
          rows.get(table, keyOfId(kind, id)),
        );
        found.push(...this.between(kind, before ? [before] : [], after ? [after] : []));
        if (found.length >= this.query.limit) return { differences: found, next: { kind, id } };
      }
    }
    return { differences: found, next: undefined };
  }

  async ofRows(cursor: Cursor | undefined): Promise<Found> {
    if (cursor && 'id' in cursor) throw badMarker();
    const found: Found['differences'][number][] = [];
    let looked = 0;
    for (const kind of this.kindsFrom(cursor)) {
      let [before, after] = cursor?.kind === kind ? [cursor.before, cursor.after] : [null, null];
      for (;;) {
        const page = this.rowsBehind(kind, before, after);
        if (!page) break;
        found.push(...this.between(kind, page.before, page.after));
        const left = this.query.limit - found.length;
        // What is one too many is found again by the next page.
        const end = left < 0 ? found.at(left - 1)?.difference.id : undefined;
        before = lastId(kind, page.before, end) ?? before;
        after = lastId(kind, page.after, end) ?? after;
        looked += page.before.length + page.after.length;
        await nextTurn();
        if (left <= 0 || looked >= ROWS_PER_PAGE)
          return { differences: found.slice(0, this.query.limit), next: { kind, before, after } };
      }
    }
    return { differences: found, next: undefined };
  }

  /** As far as both moments are read: what stands in one only beyond that may be in the other's next part. */
  private rowsBehind(kind: ResourceKind, before: string | null, after: string | null) {
    const part = (rows: RowReader, marker: string | null) =>
      rows.live(RESOURCES[kind].table, this.where(kind), {
        limit: Math.min(ROWS_PER_TURN, this.query.limit),
        after: marker === null ? undefined : keyOfId(kind, marker),
      });
    const [old, present] = [part(this.moments.before, before), part(this.moments.after, after)];
    if (old.length + present.length === 0) return undefined;
    const full = Math.min(ROWS_PER_TURN, this.query.limit);
    const ends = [old, present].flatMap((rows) => (rows.length === full ? [lastId(kind, rows) ?? ''] : []));
    const end = ends.sort()[0];
    const within = (rows: readonly Row[]) =>
      end === undefined ? rows : rows.filter((row) => idOfRow(kind, row) <= end);
    return { before: within(old), after: within(present) };
  }

  private between(kind: ResourceKind, before: readonly Row[], after: readonly Row[]): Found['differences'] {
    const { table } = RESOURCES[kind];
    const owners = this.ownersOf(kind, [...before, ...after]);
    const byId = new Map([...before, ...after].map((row) => [idOfRow(kind, row), row]));
    return diffRows({ ...owners.before, [table]: before }, { ...owners.after, [table]: after })
      .filter((difference) => difference.kind === kind && this.isAsked(difference))
      .flatMap((difference) => (this.query.isTenant ? (forTenants(difference) ?? []) : difference))
      .map((difference) => ({ difference, owner: ownerOf(kind, byId.get(difference.id)) }));
  }

  /** The rows that say whose these are, where they do not say it themselves. */
  private ownersOf(kind: ResourceKind, rows: readonly Row[]): { readonly before: Tables; readonly after: Tables } {
    const owner = RESOURCES[kind].owner;
    if (!owner || rows.every((row) => 'project_id' in row)) return { before: {}, after: {} };
    const { table } = RESOURCES[owner.kind];
    const ids = [...new Set(rows.flatMap((row) => ownerOf(kind, row) ?? []))];
    const read = (from: RowReader): Tables => ({
      [table]: ids.map((id) => from.get(table, keyOfId(owner.kind, id))).filter((row) => row !== undefined),
    });
    return { before: read(this.moments.before), after: read(this.moments.after) };
  }

  private where(kind: ResourceKind): Readonly<Record<string, string>> {
    const { project } = this.query;
    const columns = this.moments.after.tables.find(({ name }) => name === RESOURCES[kind].table)?.columns ?? {};
    return project !== undefined && 'project_id' in columns ? { project_id: project } : {};
  }

  private isAsked({ project }: Difference): boolean {
    return this.query.project === undefined || project === this.query.project;
  }

  private kindsFrom(cursor: Cursor | undefined): readonly ResourceKind[] {
    const asked = RESOURCE_KINDS.filter((kind) => this.query.kinds.includes(kind));
    return cursor ? asked.filter((kind) => RESOURCE_KINDS.indexOf(kind) >= RESOURCE_KINDS.indexOf(cursor.kind)) : asked;
  }
}

function lastId(kind: ResourceKind, rows: readonly Row[], end?: string): string | undefined {
  const last = rows.findLast((row) => end === undefined || idOfRow(kind, row) <= end);
  return last && idOfRow(kind, last);
}

function parseCursor(marker: string | undefined): Cursor | undefined {
  if (marker === undefined) return undefined;
  try {
    return cursorSchema.parse(JSON.parse(Buffer.from(marker, 'base64url').toString()));
  } catch {
    throw badMarker();
  }
}

function badMarker(): Error {
  return invalid('The marker is not one that a page of this diff ended with.');
}

function encodeCursor(cursor: Cursor): string {
  return Buffer.from(JSON.stringify(cursor)).toString('base64url');
}
