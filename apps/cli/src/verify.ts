import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { z } from 'zod';
import { verifySqliteFile } from '@weir/event-store/sqlite';
import { notFound } from '@weir/kernel';
import { carryOut } from './maintenance';
import { type Output, withOutput } from './options';
import { fields, rows } from './output';
import { connect, print } from './session';

const UNSOUND_EXIT_CODE = 1;
/** As many as the API tells. */
const MAX_PROBLEMS = 1000;

const problem = z.looseObject({
  position: z.number(),
  problem: z.string(),
  detail: z.string(),
  sites: z.array(z.string()),
});
const verification = z.looseObject({
  sound: z.boolean(),
  first_wrong: z.number().nullable(),
  problems: z.array(problem),
  truncated: z.boolean(),
  head: z.number().nullable(),
  sites: z.array(
    z.looseObject({
      name: z.string(),
      compared: z.boolean(),
      reason: z.string().nullable(),
      last: z.number().nullable(),
      superseded: z.number(),
    }),
  ),
});
type Verification = z.output<typeof verification>;

/** `weir events verify`: exit code 0 where the log is sound, 1 where it is not. */
export function addVerify(events: Command): void {
  withOutput(events.command('verify'))
    .description(
      'whether the log is the one that was written: by its digests and seals, and by the seals that the sites hold',
    )
    .option('--file <file>', 'of an events.db on this machine, without its Top and without the sites')
    .action(async ({ output, file }: Output & { file?: string }) => {
      const found =
        file === undefined
          ? verification.parse(await carryOut(await connect(), '/weir/v1/events/verify', {}))
          : await inside(file);
      show(found, output);
      if (!found.sound) process.exitCode = UNSOUND_EXIT_CODE;
    });
}

async function inside(file: string): Promise<Verification> {
  if (!existsSync(file)) throw notFound(`There is no file ${file}.`);
  const problems: Verification['problems'] = [];
  let truncated = false;
  for await (const found of verifySqliteFile(file)) {
    truncated = problems.length === MAX_PROBLEMS;
    if (truncated) break;
    problems.push({ ...found, sites: [] });
  }
  const first = problems.find(({ position }) => position > 0);
  return {
    sound: problems.length === 0,
    first_wrong: first?.position ?? null,
    problems,
    truncated,
    head: null,
    sites: [],
  };
}

function show(found: Verification, output: Output['output']): void {
  const { problems, sites } = found;
  if (output === 'json' || output === 'yaml') return void print(fields(found, output));
  if (problems.length > 0) print(rows(problems, ['position', 'problem', 'detail', 'sites'], output));
  if (output !== 'table') return;
  print(verdict(found));
  for (const { name, compared, reason, last, superseded } of sites) {
    if (!compared) process.stderr.write(`weir: not compared with ${name}: ${reason ?? ''}\n`);
    else print(last === null ? `${name} holds no seal of it.` : `Compared with ${name}, up to position ${last}.`);
    if (superseded > 0) print(`${name} also holds ${superseded} seals of a log that was given up.`);
  }
}

function verdict({ sound, head, first_wrong, problems, truncated }: Verification): string {
  if (sound) return head === null ? 'The log is sound.' : `The log is sound up to position ${head}.`;
  const count = `${problems.length}${truncated ? ' and more' : ''} ${problems.length === 1 ? 'problem' : 'problems'}`;
  return first_wrong === null
    ? `The log is not sound: ${count}.`
    : `The log is not sound: the first wrong position is ${first_wrong}; ${count}.`;
}
