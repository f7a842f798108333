import type { Command } from 'commander';
import { z } from 'zod';
import { type Output, parsePositive, withOutput } from './options';
import { fields, rows } from './output';
import { connect, print } from './session';

const NOTHING_FOUND_EXIT_CODE = 1;
/** As many as the API gives at once. */
const PAGE = 1000;
const DEFAULT_LIMIT = 10_000;

const changeSchema = z.object({ field: z.string(), before: z.unknown().optional(), after: z.unknown().optional() });
const difference = z.looseObject({
  change: z.string(),
  kind: z.string(),
  id: z.string(),
  name: z.string().nullable(),
  fields: z.array(changeSchema),
});
const author = z.looseObject({
  position: z.number(),
  time: z.string(),
  type: z.string(),
  actor_name: z.string(),
  request_id: z.string(),
});
const historyPage = z.object({
  history: z.array(author.extend({ changes: z.array(difference) })),
  next: z.number().nullable(),
});
const diffPage = z.object({
  now: z.number(),
  differences: z.array(difference.extend({ by: z.array(author) })),
  next: z.string().nullable(),
});
const blamed = z.object({
  blame: z.looseObject({
    cookie: z.string(),
    owner: z.object({ kind: z.string(), id: z.string() }).nullable(),
    created: author.nullable(),
    hosts: z.array(
      z.looseObject({
        site: z.string(),
        host: z.string().nullable(),
        unknown: z.string().nullable(),
        owner: z.looseObject({}).nullable(),
        flows: z.number(),
        facts: z.array(
          z.looseObject({ kind: z.string(), id: z.string(), decided_by: z.string(), event: author.nullable() }),
        ),
      }),
    ),
  }),
});
type Blame = z.output<typeof blamed>['blame'];

/** `weir history`, `weir diff`, `weir blame` */
export function addTime(program: Command): void {
  withOutput(program.command('history'))
    .description(
      'who did what to one site, zone, network, subnet, router, router-interface, port or server, oldest first',
    )
    .argument('<kind>')
    .argument('<resource>', 'id or name')
    .option('--as-of <moment>', 'up to a position or an RFC 3339 time')
    .action(async (kind: string, id: string, { output, asOf }: Output & { asOf?: string }) => {
      const client = await connect();
      const query = { kind, id, limit: String(PAGE), ...(asOf === undefined ? {} : { as_of: asOf }) };
      const entries: z.output<typeof historyPage>['history'] = [];
      for (let after: number | null = 0; after !== null;) {
        const page: z.output<typeof historyPage> = historyPage.parse(
          await client.get('/weir/v1/history', { ...query, after: String(after) }),
        );
        entries.push(...page.history);
        after = page.next;
      }
      const told = entries.map((entry) => ({
        ...entry,
        by: entry.actor_name,
        what: entry.changes.map(summary).join('; '),
      }));
      print(
        rows(
          output === 'table' || output === 'value' ? told : entries,
          ['position', 'time', 'type', 'by', 'request_id', 'what'],
          output,
        ),
      );
    });

  withOutput(program.command('diff'))
    .description('what was created, changed and deleted between two moments, and by whom')
    .argument('<then>', 'a position or an RFC 3339 time')
    .argument('[now]', 'the same, or now', 'now')
    .option('--project <project>', 'only what belongs to it; its name or id')
    .option('--kind <kind...>', 'only of these kinds')
    .option('--limit <count>', 'at most so many differences', parsePositive, DEFAULT_LIMIT)
    .action(
      async (
        then: string,
        now: string,
        { output, project, kind, limit }: Output & { project?: string; kind?: string[]; limit: number },
      ) => {
        const client = await connect();
        const query = { then, ...(project === undefined ? {} : { project }), ...(kind === undefined ? {} : { kind }) };
        const found: z.output<typeof diffPage>['differences'] = [];
        let asked: Record<string, string | readonly string[]> = { ...query, now };
        let more = false;
        for (;;) {
          const part = String(Math.min(PAGE, limit - found.length));
          const page = diffPage.parse(await client.get('/weir/v1/diff', { ...asked, limit: part }));
          found.push(...page.differences);
          more = page.next !== null;
          if (page.next === null || found.length >= limit) break;
          // Of the same moment, whatever happens meanwhile.
          asked = { ...query, now: String(page.now), marker: page.next };
        }
        const told = found.map(({ by, ...one }) => {
          const last = by.at(-1);
          return {
            ...one,
            fields: one.change === 'changed' ? described(one.fields) : '',
            by: [...new Set(by.map(({ actor_name }) => actor_name))].join(', '),
            when: last?.time,
          };
        });
        print(
          rows(
            output === 'table' || output === 'value' ? told : found,
            ['change', 'kind', 'name', 'id', 'fields', 'by', 'when'],
            output,
          ),
        );
        if (more) process.stderr.write(`weir: there are more than these ${found.length}; see --limit.\n`);
      },
    );

  withOutput(program.command('blame'))
    .description('from a flow on a host to the resource, the facts and events behind it, and who asked for them')
    .argument('<cookie>', 'as `ovs-ofctl dump-flows` shows it, or decimal')
    .option('--site <site>', 'look at this site only')
    .option('--host <host>', 'look at this host only')
    .action(async (cookie: string, { output, site, host }: Output & { site?: string; host?: string }) => {
      const query = { ...(site === undefined ? {} : { site }), ...(host === undefined ? {} : { host }) };
      const { blame } = blamed.parse(
        await (await connect()).get(`/weir/v1/blame/${encodeURIComponent(cookie)}`, query),
      );
      showBlame(blame, output);
      if (!blame.owner) process.exitCode = NOTHING_FOUND_EXIT_CODE;
    });
}

function showBlame(blame: Blame, output: Output['output']): void {
  if (output === 'json' || output === 'yaml') return void print(fields(blame, output));
  const { owner, created, hosts } = blame;
  const columns = ['site', 'host', 'fact', 'decided_by', 'position', 'time', 'type', 'by', 'request'];
  const told = hosts.flatMap(({ site, host, facts }) =>
    facts.map(({ kind, id, decided_by, event }) => ({
      ...{ site, host, fact: `${kind} ${id}`, decided_by },
      ...{ position: event?.position, time: event?.time, type: event?.type },
      ...{ by: event?.actor_name, request: event?.request_id },
    })),
  );
  if (output === 'value') return void print(rows(told, columns, output));
  const subject = owner ? `${owner.kind} ${owner.id}` : 'nothing that a host knows';
  print(`Flows with cookie ${blame.cookie} are there for ${subject}.`);
  if (created)
    print(
      `Made by ${created.actor_name} at ${created.time}: ${created.type}, position ${created.position}, ${created.request_id}.`,
    );
  if (told.length > 0) print(rows(told, columns, output));
  for (const { site, host, unknown } of hosts)
    if (unknown !== null) process.stderr.write(`weir: unknown at ${host ?? site}: ${unknown}\n`);
}

function summary({ change, kind, name, fields }: z.output<typeof difference>): string {
  const subject = `${change} ${kind}${name === null || name === '' ? '' : ` ${name}`}`;
  return change === 'changed' ? `${subject} (${described(fields)})` : subject;
}

function described(changes: readonly z.output<typeof changeSchema>[]): string {
  return changes.map(({ field, before, after }) => `${field}: ${text(before)} → ${text(after)}`).join(', ');
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : value === undefined ? 'none' : JSON.stringify(value);
}
