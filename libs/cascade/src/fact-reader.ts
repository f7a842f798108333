import { WeirError } from '@weir/kernel';
import { lineSchema, MAX_LINE_BYTES, type FactLine, type Line, type MarkLine, type QueryLine } from './protocol';

/** A line was lost, doubled, swapped or spoilt: what follows cannot be trusted, and the follower dials again. */
export class BrokenStream extends WeirError {
  constructor(message: string, cause?: unknown) {
    super('invalid', message, cause === undefined ? {} : { cause });
  }
}

export type Reading =
  | Extract<Line, { type: 'hello' }>
  | {
      readonly type: 'batch';
      readonly facts: readonly FactLine[];
      readonly mark: MarkLine;
      readonly characters: number;
    }
  | { readonly type: 'query'; readonly query: QueryLine };

/** Reads one connection's text: checks that nothing is missing, and gives facts out by marks only. Throws BrokenStream. */
export class FactReader {
  private rest = '';
  private greeted = false;
  private facts: FactLine[] = [];
  private readonly keys = new Set<string>();
  private marks = 0;
  /** Of the lines since the last mark. */
  private characters = 0;

  /** `previous`: the position that was asked for. */
  constructor(private previous: number) {}

  read(chunk: string): Reading[] {
    const readings: Reading[] = [];
    const lines = (this.rest + chunk).split('\n');
    this.rest = lines.pop() ?? '';
    // A character is at least one byte: an unfinished line of more is too long already.
    if (this.rest.length > MAX_LINE_BYTES) throw new BrokenStream('A line is longer than 1 MiB.');
    for (const text of lines) {
      this.characters += text.length;
      const reading = this.take(parsed(text));
      if (reading) readings.push(reading);
    }
    return readings;
  }

  private take(line: Line): Reading | undefined {
    if (this.greeted === (line.type === 'hello')) throw new BrokenStream('A stream has one hello, and begins with it.');
    switch (line.type) {
      case 'hello':
        this.greeted = true;
        return line;
      case 'query':
        return { type: 'query', query: line };
      case 'mark':
        return this.takeMark(line);
      default:
        this.takeFact(line);
        return undefined;
    }
  }

  private takeFact(fact: FactLine): void {
    const key = `${fact.kind}\n${fact.id}`;
    if (this.keys.has(key)) throw new BrokenStream('A fact came twice under one mark.');
    if (fact.position < (this.facts.at(-1)?.position ?? 0)) throw new BrokenStream('Facts are out of order.');
    this.keys.add(key);
    this.facts.push(fact);
  }

  private takeMark(mark: MarkLine): Reading {
    const { facts, previous, characters } = this;
    if (mark.previous !== previous || mark.position < previous || mark.count !== facts.length)
      throw new BrokenStream('A mark does not follow what came before it.');
    if ((facts.at(-1)?.position ?? 0) > mark.position) throw new BrokenStream('A mark is behind its facts.');
    this.marks++;
    if (mark.ordinal !== undefined && mark.ordinal !== this.marks)
      throw new BrokenStream('A mark is missing, or came twice.');
    this.facts = [];
    this.characters = 0;
    this.keys.clear();
    this.previous = mark.position;
    return { type: 'batch', facts, mark, characters };
  }
}

function parsed(text: string): Line {
  // A character has at most three bytes in UTF-8 (a pair has four).
  if (text.length * 3 > MAX_LINE_BYTES && Buffer.byteLength(text) > MAX_LINE_BYTES)
    throw new BrokenStream('A line is longer than 1 MiB.');
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new BrokenStream('A line is not JSON.', cause);
  }
  const line = lineSchema.safeParse(json);
  if (!line.success) throw new BrokenStream('A line is malformed.', line.error);
  return line.data;
}
