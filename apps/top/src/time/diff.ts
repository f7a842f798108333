import { setImmediate as nextTurn } from 'node:timers/promises';
import { z } from 'zod';
import {
  type AttributedDifference,
  Attribution,
  type AuthoredEvent,
  type Authorship,
  authorshipOf,
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
const EVENTS_PER_TURN = 100;
/** Scans of few events, for those who read page by page. */
const KEPT_SCANS = 4;
/** Rows compared before others have a turn, and in one answer: where little changed, the next page is asked for sooner. */
const ROWS_PER_TURN = 200;
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
  private readonly scans = new Map<string, Touched>();

  constructor(
    private readonly log: Log,
    private readonly rows: RowReader,
    private readonly fewEvents = FEW_EVENTS,
  ) {}

  async page(query: DiffQuery): Promise<DiffPage> {
    const { then, now } = query;
    if (then > now) throw invalid(`'then' (position ${then}) lies behind 'now' (${now}).`);
    const moments = { before: await this.rows.at(then), after: await this.rows.at(now) };
    const cursor = parseCursor(query.marker);
    const pages = new Pages(moments, query);
    const touched = now - then <= this.fewEvents ? await this.touchedBetween(then, now) : undefined;
    const { differences, next } = touched ? await pages.ofTouched(touched, cursor) : await pages.ofRows(cursor);
    const attributed: AttributedDifference[] = [];
    for (const { difference, owner } of differences) {
      const by = touched?.by(difference.kind, difference.id) ?? (await this.authorsOf(difference, owner, query));
      attributed.push({ ...difference, by: by.slice(-MAX_AUTHORS) });
    }
    return { differences: attributed, next: next ? encodeCursor(next) : null };
  }

  /** Kept for the pages that follow. */
  private async touchedBetween(then: number, now: number): Promise<Touched> {
    const name = `${then} ${now}`;
    const known = this.scans.get(name);
    if (known) return known;
    const touched = new Touched();
    for (let after = then; after < now;) {
      const events = await this.log.readAll(after, EVENTS_PER_TURN);
      for (const event of events) if (event.position <= now && !isSeal(event)) touched.take(event);
      after = events.at(-1)?.position ?? now;
      await nextTurn();
    }
    const [oldest] = this.scans.keys();
    if (oldest !== undefined && this.scans.size >= KEPT_SCANS) this.scans.delete(oldest);
    this.scans.set(name, touched);
    return touched;
  }

  private async authorsOf(
    difference: Difference,
    owner: string | undefined,
    { then, now }: DiffQuery,
  ): Promise<readonly Authorship[]> {
    const attribution = new Attribution([difference]);
    for (const stream of streamsOf(difference.kind, difference.id, owner)) {
      for await (const events of streamRange(this.log, stream, then, now)) {
        attribution.take(events.filter((event) => !isSeal(event)));
        await nextTurn();
      }
    }
    const by = attribution.result().flatMap((result) => result.by);
    return by.sort((left, right) => left.position - right.position);
  }
}

/** What some events change, and who they are of. */
class Touched {
  private readonly authors = new Map<ResourceKind, Map<string, Authorship[]>>();

  take(event: AuthoredEvent): void {
    const seen = new Set<string>();
    for (const { kind, id } of touchedBy(event)) {
      if (seen.has(`${kind} ${id}`)) continue;
      seen.add(`${kind} ${id}`);
      const ofKind = this.authors.get(kind) ?? new Map<string, Authorship[]>();
      this.authors.set(kind, ofKind);
      const authors = ofKind.get(id) ?? [];
      ofKind.set(id, authors);
      authors.push(authorshipOf(event));
    }
  }

  /** In order. */
  ids(kind: ResourceKind): readonly string[] {
    return [...(this.authors.get(kind)?.keys() ?? [])].sort();
  }

  by(kind: ResourceKind, id: string): readonly Authorship[] {
    return this.authors.get(kind)?.get(id) ?? [];
  }
}

/** The differences between two readings of the tables, in the order of kinds and ids. */
class Pages {
  constructor(
    private readonly moments: { readonly before: RowReader; readonly after: RowReader },
    private readonly query: DiffQuery,
  ) {}

  async ofTouched(touched: Touched, cursor: Cursor | undefined): Promise<Found> {
    if (cursor && !('id' in cursor)) throw badMarker();
    const found: Found['differences'][number][] = [];
    let looked = 0;
    for (const kind of this.kindsFrom(cursor)) {
      for (const id of touched.ids(kind)) {
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
