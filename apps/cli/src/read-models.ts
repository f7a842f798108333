import type { Command } from 'commander';
import { z } from 'zod';
import { carryOut } from './maintenance';
import { type Output, withOutput } from './options';
import { fields, rows } from './output';
import { connect, print } from './session';

const DIFFERENT_EXIT_CODE = 1;

const version = z.object({
  row: z.record(z.string(), z.unknown()),
  valid_from: z.number(),
  valid_to: z.number().nullable(),
});
const checked = z.object({
  equal: z.boolean(),
  checked: z.array(z.string()),
  difference: z
    .object({
      table: z.string(),
      key: z.record(z.string(), z.unknown()),
      live: version.nullable(),
      rebuilt: version.nullable(),
    })
    .nullable(),
});

/** `weir rebuild`, and `weir read-models …` */
export function addReadModels(program: Command): void {
  withOutput(program.command('rebuild'))
    .description('make read models anew from the log, and swap them; reads and writes go on')
    .argument('[name...]', 'of read models; all of them unless named')
    .option('--check', 'compare only: exit code 1 where live and rebuilt differ')
    .action(async (names: string[], { output, check }: Output & { check?: true }) => {
      const body = names.length > 0 ? { names } : {};
      if (check)
        return showChecked(checked.parse(await carryOut(await connect(), '/weir/v1/read-models/check', body)), output);
      const { rebuilt } = z
        .object({ rebuilt: z.array(z.string()) })
        .parse(await carryOut(await connect(), '/weir/v1/read-models/rebuild', body));
      print(
        rows(
          rebuilt.map((name) => ({ name, rebuilt: true })),
          ['name', 'rebuilt'],
          output,
        ),
      );
    });

  withOutput(program.command('read-models').description('the tables that reads are answered from').command('list'))
    .description('all of them, with their rows, where in the log they are, and how far back old row versions reach')
    .action(async ({ output }: Output) => {
      const answer = z
        .object({ read_models: z.array(z.record(z.string(), z.unknown())) })
        .parse(await (await connect()).get('/weir/v1/read-models'));
      print(rows(answer.read_models, ['name', 'tables', 'rows', 'position', 'horizon'], output));
    });
}

function showChecked({ equal, checked: names, difference }: z.output<typeof checked>, output: Output['output']): void {
  if (equal || !difference) {
    print(
      rows(
        names.map((name) => ({ name, equal })),
        ['name', 'equal'],
        output,
      ),
    );
    return;
  }
  const { table, key, live, rebuilt } = difference;
  print(fields({ equal, table, key, live, rebuilt }, output));
  process.exitCode = DIFFERENT_EXIT_CODE;
}
