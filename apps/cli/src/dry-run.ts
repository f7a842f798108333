import type { Command } from 'commander';
import { z } from 'zod';
import { type Output, withOutput } from './options';
import { fields, rows } from './output';
import { print } from './session';

export const withDryRun = (command: Command): Command =>
  withOutput(command)
    .option('--dry-run', 'tell what it would come to, and store nothing')
    .option('--replay <token>', 'do exactly what a dry run of it told, or nothing');

const unknown = z.object({ unknown: z.string() });
const changed = z.looseObject({
  added: z.array(z.string()),
  changed: z.array(z.string()),
  removed: z.array(z.string()),
});
const host = z.object({ flows: changed, groups: changed, meters: changed });
const facts = z.array(z.looseObject({}));
const answered = z.object({
  dry_run: z.looseObject({
    position: z.number(),
    events: z.array(z.looseObject({})),
    events_left_out: z.number(),
    facts: z.record(z.string(), facts),
    bindings: z.record(z.string(), facts),
    flows: z.record(
      z.string(),
      z.union([unknown, z.object({ hosts: z.record(z.string(), z.union([unknown, host])) })]),
    ),
    replay: z.string().nullable(),
    replay_reason: z.string().optional(),
  }),
});

/** As a table: the events, what each site would be told, and what its hosts would change. */
export function printDryRun(answer: unknown, { output }: Output): void {
  const { dry_run: told } = answered.parse(answer);
  if (output !== 'table') {
    print(fields(told, output));
    return;
  }
  print(`Nothing was stored. Decided at position ${told.position}:`);
  print(rows(told.events, ['stream', 'type', 'data'], output));
  if (told.events_left_out > 0) print(`Events besides that only the operator sees: ${told.events_left_out}`);
  for (const [site, below] of Object.entries(told.flows)) {
    print(`The site ${site} would be told:`);
    print(rows([...(told.facts[site] ?? []), ...(told.bindings[site] ?? [])], ['op', 'kind', 'id'], output));
    const hosts = 'hosts' in below ? below.hosts : { [site]: below };
    const changes = Object.entries(hosts).flatMap(([name, would]) => changesOf(name, would));
    if (changes.length > 0) print(rows(changes, ['host', 'change', 'row'], output));
  }
  print(
    told.replay === null ? `No replay: ${told.replay_reason ?? ''}` : `To do exactly this: --replay ${told.replay}`,
  );
}

function changesOf(name: string, would: z.output<typeof host> | z.output<typeof unknown>) {
  if ('unknown' in would) return [{ host: name, change: 'unknown', row: would.unknown }];
  return Object.values(would).flatMap(({ added, changed, removed }) =>
    Object.entries({ added, changed, removed }).flatMap(([change, listed]) =>
      listed.map((row) => ({ host: name, change, row })),
    ),
  );
}
