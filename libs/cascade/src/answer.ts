import { WeirError } from '@weir/kernel';
import { ANSWER_PART_CHARACTERS, answerTextSchema, MAX_ANSWER_CHARACTERS, type AnswerPart } from './protocol';

const failure = (error: unknown): string =>
  JSON.stringify({
    ok: false,
    error:
      error instanceof WeirError
        ? { reason: error.reason, message: error.message }
        : { reason: 'unavailable', message: 'The question could not be answered.' },
  });

/** The text that answers a query with a value, or with an error. */
export function answerText(outcome: { readonly value: unknown } | { readonly error: unknown }): string {
  if ('error' in outcome) return failure(outcome.error);
  const text = JSON.stringify({ ok: true, value: outcome.value });
  return text.length <= MAX_ANSWER_CHARACTERS
    ? text
    : failure(new WeirError('too-large', `The answer has more than ${MAX_ANSWER_CHARACTERS} characters.`));
}

/** Cuts a text into the parts that carry it; JSON keeps halves of a surrogate pair apart and whole. */
export function answerParts(id: string, text: string): AnswerPart[] {
  const parts: AnswerPart[] = [];
  for (let start = 0; start < text.length; start += ANSWER_PART_CHARACTERS) {
    const end = start + ANSWER_PART_CHARACTERS;
    parts.push({ id, part: parts.length, last: end >= text.length, body: text.slice(start, end) });
  }
  return parts;
}

/** The value that an answer's text holds; throws the error that it holds. */
export function answerValue(text: string): unknown {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new WeirError('unavailable', 'The answer is not JSON.', { cause });
  }
  const answer = answerTextSchema.safeParse(json);
  if (!answer.success)
    throw new WeirError('unavailable', 'The answer has another form than agreed.', { cause: answer.error });
  if (answer.data.ok) return answer.data.value;
  throw new WeirError(answer.data.error.reason, answer.data.error.message);
}
