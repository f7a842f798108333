import { digestOfText, type EventText } from './digest';
import type { Anchor, EventStore, LogProblem, Problem } from './port';
import { extended, isSeal, NOTHING_SEALED, type OpenSeal, sealed, sealRecord } from './seal';

/** An event as it is stored. */
export interface LogRow extends EventText {
  readonly digest: string;
  /** The position of the event that was the last one when this one was written. */
  readonly previous: number;
}

/** Judges a log row by row, in the order of positions, in constant memory. What one finding explains is not told again. */
export class LogVerifier {
  private open: OpenSeal = NOTHING_SEALED;
  /** The last event that is what its digest says: one that was put in between has no successor. */
  private sound = 0;
  /** Whether the open range has been found wrong already. */
  private explained = false;
  private readonly anchors: Anchor[];

  constructor(anchors: readonly Anchor[] = []) {
    this.anchors = [...anchors].sort((left, right) => left.position - right.position);
  }

  get position(): number {
    return this.open.last;
  }

  next(row: LogRow): LogProblem[] {
    const { position, previous, digest } = row;
    const problems: LogProblem[] = [];
    const before = this.open.last;
    const right = digestOfText(row) === digest;
    if (!right) problems.push(found(position, 'digest', 'the event differs from its digest'));
    if (previous !== before && previous !== this.sound) {
      if (previous > before && previous < position)
        problems.push(
          found(before + 1, 'missing', `an event at ${previous} should stand before the one at ${position}`),
        );
      else if (right) problems.push(found(position, 'missing', `it should stand behind ${previous}, not ${before}`));
    }
    this.explained ||= problems.length > 0;
    problems.push(...this.anchored(position, digest));
    if (isSeal(row)) problems.push(...this.seal(row, right));
    else this.open = extended(this.open, position, digest, field(row.metadata, 'time'));
    if (right) this.sound = position;
    return problems;
  }

  /** After the last row, with what is stored as open. */
  end(stored: OpenSeal | undefined): LogProblem[] {
    const problems: LogProblem[] = [];
    if (!stored) {
      problems.push(found(this.open.first || this.open.last, 'open', 'what is open was not kept'));
    } else if (stored.last > this.open.last) {
      const cut = `the last event stood at ${stored.last}, and nothing is behind ${this.open.last}`;
      problems.push(found(this.open.last + 1, 'missing', cut));
    } else if (!this.explained && !sameOpen(stored, this.open)) {
      const detail = `${this.open.count} events stand behind the last seal, not the ${stored.count} that were counted`;
      const changed = `the ${stored.count} events behind the last seal are not those that were counted`;
      const first = this.open.first || this.open.last;
      problems.push(found(first, 'open', stored.count === this.open.count ? changed : detail));
    }
    return [...problems, ...this.anchored(Number.MAX_SAFE_INTEGER, '')];
  }

  private seal(row: LogRow, right: boolean): LogProblem[] {
    const { open, explained } = this;
    const expected = sealRecord(open, row.position);
    const fits = row.data === expected.data && row.revision === expected.revision && row.type === expected.type;
    // Goes on from this seal as it stands, so that the ranges behind it are judged by themselves.
    const latest = right ? field(row.data, 'latest') : open.latest;
    this.open = sealed({ ...open, seals: row.revision, latest }, row.position, row.digest);
    this.explained = false;
    if (explained || fits) return [];
    const detail = `the ${open.count} events up to ${open.last} are not what the seal at ${row.position} was made of`;
    return [found(open.first || row.position, 'range', detail)];
  }

  private anchored(position: number, digest: string): LogProblem[] {
    const problems: LogProblem[] = [];
    for (let [anchor] = this.anchors; anchor && anchor.position <= position; [anchor] = this.anchors) {
      this.anchors.shift();
      if (anchor.position !== position || anchor.digest !== digest)
        problems.push(found(anchor.position, 'anchor', 'a seal that is known elsewhere does not stand here'));
    }
    return problems;
  }
}

function found(position: number, problem: Problem, detail: string): LogProblem {
  return { position, problem, detail };
}

function sameOpen(left: OpenSeal, right: OpenSeal): boolean {
  return (Object.keys(NOTHING_SEALED) as (keyof OpenSeal)[]).every((field) => left[field] === right[field]);
}

/** '' where it cannot be read: then the digest is wrong too. */
function field(json: string, name: string): string {
  try {
    return String((JSON.parse(json) as Readonly<Record<string, unknown>>)[name]);
  } catch {
    return '';
  }
}

/** The same as `store.verify()`. */
export function verifyDigests(store: Pick<EventStore, 'verify'>): AsyncIterable<LogProblem> {
  return store.verify();
}
