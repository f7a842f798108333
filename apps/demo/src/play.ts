import { Listr, PRESET_TIMER } from 'listr2';
import type { Clock } from '@weir/kernel';

export interface Step {
  readonly name: string;
  /** Without it the later ones make no sense. */
  readonly needed: boolean;
  /** Answers in one line what was found, and shows lines under the step; rejects when the step does not hold. */
  run(show: (lines: readonly string[]) => void): Promise<string>;
}

export interface StepResult {
  readonly name: string;
  readonly ok: boolean;
  /** False when a needed one before it did not hold. */
  readonly played: boolean;
  readonly ms: number;
  readonly detail: string;
}

/** Plays the steps one after the other: live on a terminal, as plain lines elsewhere. Answers one result for each; never rejects for a step. */
export async function play(steps: readonly Step[], clock: Clock): Promise<readonly StepResult[]> {
  const results: StepResult[] = [];
  let missing: string | undefined;
  const tasks = steps.map((step) => ({
    title: step.name,
    skip: () => missing !== undefined && notPlayed(missing),
    rendererOptions: { persistentOutput: true, outputBar: Infinity },
    task: async (_context: unknown, task: { title: string | undefined; output: string }) => {
      const started = clock.monotonic();
      const end = (ok: boolean, detail: string) =>
        results.push({ name: step.name, ok, played: true, ms: Math.round(clock.monotonic() - started), detail });
      try {
        const detail = await step.run((lines) => (task.output = lines.join('\n')));
        end(true, detail);
        task.title = `${step.name}: ${detail}`;
      } catch (error) {
        end(false, textOf(error));
        if (step.needed) missing = step.name;
        throw error;
      }
    },
  }));
  const listr = new Listr(tasks, {
    exitOnError: false,
    registerSignalListeners: false,
    collectErrors: false,
    renderer: 'default',
    rendererOptions: { timer: PRESET_TIMER, collapseErrors: false, collapseSkips: false, collapseSubtasks: false },
    fallbackRenderer: 'simple',
    fallbackRendererOptions: { timer: PRESET_TIMER },
  });
  await listr.run();
  return steps.map(
    ({ name }) =>
      results.find((result) => result.name === name) ?? {
        name,
        ok: false,
        played: false,
        ms: 0,
        detail: notPlayed(missing ?? ''),
      },
  );
}

function notPlayed(missing: string): string {
  return `not played, since '${missing}' did not hold`;
}

/** The error with its causes, in one line. */
export function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const text = error.message.replaceAll('\n', ' ');
  return error.cause === undefined ? text : `${text}: ${textOf(error.cause)}`;
}
