import { streams } from '@weir/domain';
import type { Anchor, EventStore, LogProblem, RowReader } from '@weir/event-store';
import { WeirError } from '@weir/kernel';
import { type HeldSeal, sealsAnswer } from '@weir/topology';

/** A site that does not answer by then is named as not compared. */
const ANSWER_MS = 2000;
/** Where everything is wrong there is a problem per event. */
const MAX_PROBLEMS = 1000;

type Store = Pick<EventStore, 'verify' | 'readStream' | 'seals' | 'head'>;
/** Asks a site something that changes nothing. */
export type Ask = (site: string, kind: string, body: unknown, timeoutMs: number) => Promise<unknown>;

export interface ComparedSite {
  readonly id: string;
  readonly name: string;
  readonly compared: boolean;
  /** Why not. */
  readonly reason: string | null;
  /** How many seals it holds that this log must have, and where the last of them stands. */
  readonly seals: number;
  readonly last: number | null;
  /** Seals that it was told and that do not follow from those before. */
  readonly contradictions: number;
  /** Seals that an earlier generation told and that are not here: of a log that an operator gave up, by promotion, adoption or discarding. */
  readonly superseded: number;
}

export interface Verification {
  readonly sound: boolean;
  readonly firstWrong: number | null;
  readonly problems: readonly (LogProblem & { readonly sites: readonly string[] })[];
  /** There are more problems than are told. */
  readonly truncated: boolean;
  /** The log's last position when it began. */
  readonly head: number;
  readonly sites: readonly ComparedSite[];
}

interface Held {
  readonly site: ComparedSite;
  readonly anchors: readonly Anchor[];
}

/** Whether the log is the one that was written: from inside by its digests and seals, from outside by the seals that the sites hold. */
export class Verifier {
  constructor(
    private readonly store: Store,
    private readonly rows: RowReader,
    private readonly ask: Ask,
  ) {}

  async verify(): Promise<Verification> {
    const head = await this.store.head();
    const raised = (await this.store.readStream(streams.publisher)).filter(({ type }) => type === 'GenerationRaised');
    const joined = this.rows.live('rm_sites').filter((site) => site['lifecycle'] !== 'added');
    const held = await Promise.all(
      joined.map((site) => this.heldBy(site['id'] as string, site['name'] as string, raised.length)),
    );
    const problems: (LogProblem & { readonly sites: readonly string[] })[] = [];
    let truncated = false;
    for await (const problem of this.store.verify(distinct(held.flatMap(({ anchors }) => anchors)))) {
      truncated = problems.length === MAX_PROBLEMS;
      if (truncated) break;
      problems.push({ ...problem, sites: problem.problem === 'anchor' ? holders(held, problem.position) : [] });
    }
    return {
      sound: problems.length === 0,
      firstWrong: problems.find(({ position }) => position > 0)?.position ?? null,
      problems,
      truncated,
      head,
      sites: held.map(({ site }) => site),
    };
  }

  private async heldBy(id: string, name: string, generation: number): Promise<Held> {
    const silent = (reason: string): Held => ({
      site: { id, name, compared: false, reason, seals: 0, last: null, contradictions: 0, superseded: 0 },
      anchors: [],
    });
    let answer: unknown;
    try {
      answer = await this.ask(id, 'seals', {}, ANSWER_MS);
    } catch (error) {
      return silent(error instanceof WeirError ? error.message : 'it could not be asked');
    }
    const parsed = sealsAnswer.safeParse(answer);
    if (!parsed.success) return silent('it answered something else than its seals');
    const { seals } = parsed.data;
    const anchors: HeldSeal[] = [];
    for (const seal of seals) if (seal.generation >= generation || (await this.has(seal))) anchors.push(seal);
    return {
      site: {
        id,
        name,
        compared: true,
        reason: null,
        seals: anchors.length,
        last: anchors.at(-1)?.position ?? null,
        contradictions: seals.filter(({ contradicts }) => contradicts).length,
        superseded: seals.length - anchors.length,
      },
      anchors: anchors.map(({ position, digest }) => ({ position, digest })),
    };
  }

  private async has({ position, digest }: Anchor): Promise<boolean> {
    const [seal] = await this.store.seals(position - 1, 1);
    return seal?.position === position && seal.digest === digest;
  }
}

function distinct(anchors: readonly Anchor[]): readonly Anchor[] {
  return [...new Map(anchors.map((anchor) => [`${anchor.position} ${anchor.digest}`, anchor])).values()];
}

function holders(held: readonly Held[], position: number): readonly string[] {
  return held
    .filter(({ anchors }) => anchors.some((anchor) => anchor.position === position))
    .map(({ site }) => site.name);
}
