import { conflict, notFound, unavailable, WeirError, type Cancel, type Timers } from '@weir/kernel';
import { answerValue } from './answer';
import { MAX_ANSWER_CHARACTERS, type AnswerPart } from './protocol';

/** Each holds up to 4 MiB of answer; more at once than people ask. */
const MAX_OPEN_QUERIES = 64;

interface OpenQuery {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly cancel: Cancel;
  readonly parts: string[];
  characters: number;
}

/** The questions that one follower was asked and has not answered yet. */
export class OpenQueries {
  private readonly open = new Map<string, OpenQuery>();

  constructor(
    private readonly follower: string,
    private readonly timers: Timers,
  ) {}

  /** Waits for the answer to a query whose line `send` writes. */
  ask(id: string, timeoutMs: number, send: () => void): Promise<unknown> {
    if (this.open.size >= MAX_OPEN_QUERIES)
      return Promise.reject(unavailable(`${this.follower} has ${MAX_OPEN_QUERIES} open questions already.`));
    return new Promise((resolve, reject) => {
      const cancel = this.timers.after(timeoutMs, () => {
        this.open.delete(id);
        reject(unavailable(`${this.follower} did not answer within ${timeoutMs} ms.`));
      });
      this.open.set(id, { resolve, reject, cancel, parts: [], characters: 0 });
      send();
    });
  }

  /** Takes a part; a repeated one is ignored. Throws for a query that is not open, and for a part that does not follow. */
  take(part: AnswerPart): void {
    const query = this.open.get(part.id);
    if (!query) throw notFound('No such question is open.');
    if (part.part < query.parts.length) return;
    if (part.part > query.parts.length)
      throw conflict(`Part ${query.parts.length} of the answer comes next, not ${part.part}.`);
    query.characters += part.body.length;
    if (query.characters > MAX_ANSWER_CHARACTERS) {
      const error = new WeirError('too-large', `The answer has more than ${MAX_ANSWER_CHARACTERS} characters.`);
      this.close(part.id, query);
      query.reject(error);
      throw error;
    }
    query.parts.push(part.body);
    if (!part.last) return;
    this.close(part.id, query);
    try {
      query.resolve(answerValue(query.parts.join('')));
    } catch (error) {
      query.reject(error);
    }
  }

  rejectAll(message: string): void {
    for (const [id, query] of this.open) {
      this.close(id, query);
      query.reject(unavailable(message));
    }
  }

  private close(id: string, query: OpenQuery): void {
    query.cancel();
    this.open.delete(id);
  }
}
