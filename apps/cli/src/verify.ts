import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { z } from 'zod';
import { verifySqliteFile } from '@weir/event-store/sqlite';
import { notFound } from '@weir/kernel';
import { carryOut } from './maintenance';
import { type Output, withOutput } from './options';
import { rows } from './output';
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
  if (output === 'json') return void print(JSON.stringify(found, undefined, 2));
  if (found.problems.length > 0 || output !== 'table')
    print(rows(found.problems, ['position', 'problem', 'detail', 'sites'], output));
  if (output !== 'table') return;
  const upTo = found.head === null ? '' : ` up to position ${found.head}`;
  if (found.sound) print(`The log is sound${upTo}.`);
  else
    print(
      found.first_wrong === null
        ? `The log is not sound: ${found.problems.length} problems.`
        : `The log is not sound: position ${found.first_wrong} is the first wrong one, ${found.problems.length}${found.truncated ? ' and more' : ''} problems.`,
    );
  for (const { name, compared, reason, last } of found.sites) {
    if (compared)
      print(last === null ? `${name} holds no seal of it yet.` : `Compared with ${name}, up to position ${last}.`);
    else process.stderr.write(`weir: not compared with ${name}: ${reason ?? ''}\n`);
  }
}
