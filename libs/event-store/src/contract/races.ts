import fc from 'fast-check';
import { type AppendResult, type EventStore, NO_STREAM, WrongExpectedRevision } from '../index';
import { newEvent, wholeLog } from './log';

const CHAOS = process.env['WEIR_CHAOS'] === '1';
const WRITERS = 8;
const APPENDS = CHAOS ? 10_000 : 40;
const HISTORIES = CHAOS ? 500 : 20;
const MAX_TRIES = 3;
const TIMEOUT_MS = CHAOS ? 1_800_000 : 60_000;

type Answer = AppendResult | 'refused';

async function answerOf(append: Promise<AppendResult>): Promise<Answer> {
  try {
    return await append;
  } catch (error) {
    if (error instanceof WrongExpectedRevision) return 'refused';
    throw error;
  }
}

/** Writers who take each other's places, and ask again what they have asked before. */
export function describeRaces(name: string, empty: () => Promise<EventStore>): void {
  describe(`${name}: R9: a race`, () => {
    it(
      `of ${WRITERS} writers for one stream has one winner for each revision, however often each asks`,
      async () => {
        const store = await empty();
        const winners = new Map<number, string>();
        const writer = async (number: number) => {
          let expected = NO_STREAM;
          for (let won = 0; won < APPENDS;) {
            const event = newEvent('Won', { writer: number, won });
            const append = () => store.append({ writes: [{ stream: 'hot', expected, events: [event] }] });
            try {
              const [first, ...others] = await Promise.all(Array.from({ length: 1 + (won % MAX_TRIES) }, append));
              expect(others).toEqual(others.map(() => first));
              expect(winners.has(expected + 1)).toBe(false);
              winners.set(++expected, event.id);
              won++;
            } catch (error) {
              if (!(error instanceof WrongExpectedRevision)) throw error;
              expected = error.actual;
            }
          }
        };
        await Promise.all(Array.from({ length: WRITERS }, (_, number) => writer(number)));
        const events = (await wholeLog(store)).filter(({ stream }) => stream === 'hot');
        expect(events.map(({ revision }) => revision)).toEqual(Array.from({ length: WRITERS * APPENDS }, (_, i) => i));
        expect(events.map(({ id }) => id)).toEqual(events.map(({ revision }) => winners.get(revision)));
      },
      TIMEOUT_MS,
    );

    it(
      'gives one who asks again, at any time, the answer that was given first, and one event',
      async () => {
        const command = fc.record({
          streams: fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 2 }),
          checked: fc.option(fc.constantFrom('a', 'b', 'c')),
          tries: fc.integer({ min: 1, max: MAX_TRIES }),
        });
        const history = fc.array(command, { minLength: 1, maxLength: 12 }).chain((commands) =>
          fc.record({
            commands: fc.constant(commands),
            // Whose turn it is to ask: each as often as it has tries, in any order.
            turns: fc.shuffledSubarray(
              commands.flatMap(({ tries }, index) => Array.from({ length: tries }, () => index)),
              { minLength: commands.reduce((sum, { tries }) => sum + tries, 0) },
            ),
            // Some wait for their answer, and some do not.
            waits: fc.infiniteStream(fc.boolean()),
          }),
        );
        await fc.assert(
          fc.asyncProperty(history, async ({ commands, turns, waits }) => {
            const store = await empty();
            const revisionOf = async (stream: string) => (await store.readStream(stream)).at(-1)?.revision ?? NO_STREAM;
            const appends = new Map<number, Parameters<EventStore['append']>[0]>();
            const asked = new Map<number, Promise<Answer>[]>();
            for (const index of turns) {
              const { streams = [], checked } = commands[index] ?? {};
              const append = appends.get(index) ?? {
                writes: await Promise.all(
                  streams.map(async (stream) => ({
                    stream,
                    expected: await revisionOf(stream),
                    events: [newEvent('T', { index })],
                  })),
                ),
                checks:
                  checked == null || streams.includes(checked)
                    ? []
                    : [{ stream: checked, expected: await revisionOf(checked) }],
              };
              appends.set(index, append);
              const answer = answerOf(store.append(append));
              asked.set(index, [...(asked.get(index) ?? []), answer]);
              if (waits.next().value === true) await answer;
            }
            const accepted: string[] = [];
            for (const [index, answers] of asked) {
              const [first = 'refused', ...others] = await Promise.all(answers);
              expect(others).toEqual(others.map(() => first));
              const ids = appends.get(index)?.writes.flatMap(({ events }) => events.map(({ id }) => id)) ?? [];
              if (first !== 'refused') {
                accepted.push(...ids);
                expect(first.events.map(({ id }) => id)).toEqual(ids);
              }
            }
            const events = await wholeLog(store);
            expect(events.map(({ id }) => id).sort()).toEqual(accepted.sort());
            for (const stream of ['a', 'b', 'c']) {
              const revisions = events.filter((event) => event.stream === stream).map(({ revision }) => revision);
              expect(revisions).toEqual(revisions.map((_, revision) => revision));
            }
          }),
          { numRuns: HISTORIES },
        );
      },
      TIMEOUT_MS,
    );
  });
}
