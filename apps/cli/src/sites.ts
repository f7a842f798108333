import type { Command } from 'commander';
import { z } from 'zod';
import { WeirError } from '@weir/kernel';
import type { Rehearsal } from './client';
import { printDryRun, withDryRun } from './dry-run';
import { type Output, parsePositive, withOutput } from './options';
import { fields, rows } from './output';
import { connect, print, siteId } from './session';

const site = z.looseObject({ id: z.string(), name: z.string() });

const difference = z.object({ kind: z.string(), id: z.string(), name: z.string().nullable() });
const differencesAnswer = z.object({
  differences: z.object({
    counts: z.record(z.string(), z.number()),
    only_site: z.array(difference),
    only_log: z.array(difference),
    different: z.array(difference),
    truncated: z.boolean(),
  }),
});
const quarantineAnswer = z.object({
  quarantine: z.object({
    active: z.boolean(),
    generation: z.number(),
    divergences: z.array(z.object({ site_id: z.string().nullable(), decision: z.string().nullable() })),
  }),
});

/** Asking every site what it holds may take a while. */
const DECISION_TIMEOUT_MS = 600_000;

function decision(sites: Command, by: 'adopt' | 'discard', description: string): void {
  sites
    .command(by)
    .description(description)
    .argument('[site]', 'name or id')
    .option('--all', 'every site that is not decided about')
    .option(
      '--force',
      'also while a site is not connected: it starts over when it comes, and what the log does not know there is left alone',
    )
    .action(async (name: string | undefined, { all, force = false }: { all?: true; force?: boolean }) => {
      if ((name === undefined) !== (all === true)) throw new WeirError('invalid', 'Name a site, or say --all.');
      const client = await connect();
      const path = name === undefined ? by : `${await siteId(client, name)}/${by}`;
      const { quarantine } = quarantineAnswer.parse(
        await client.post(`/weir/v1/sites/${path}`, { force }, DECISION_TIMEOUT_MS),
      );
      const left = quarantine.divergences.filter((one) => one.decision === null).map((one) => one.site_id);
      print(
        quarantine.active
          ? `The Top is still in quarantine. Not decided about: ${left.join(', ')}`
          : `The quarantine is over; the Top speaks as generation ${quarantine.generation}.`,
      );
    });
}

interface Added extends Output, Rehearsal {
  readonly dataCenter: string;
  readonly zone: string[];
  readonly driver: string;
  readonly mtu: number;
}

/** `weir site …` */
export function addSites(program: Command): void {
  const sites = program
    .command('site')
    .description('sites: add, list, show, remove, and what to do with an older copy');

  withDryRun(sites.command('add'))
    .description('add a site; prints the join token for its Bottom, once')
    .argument('<name>')
    .requiredOption('--data-center <name>', 'the first half of its zones’ names')
    .requiredOption('--zone <name...>', 'its availability zones')
    .option('--driver <driver>', 'what makes it true', 'ovs')
    .option('--mtu <bytes>', 'of the underlay', parsePositive, 1500)
    .action(async (name: string, options: Added) => {
      const body = {
        name,
        data_center: options.dataCenter,
        availability_zones: options.zone,
        driver: options.driver,
        tunnel: { type: 'vxlan', mtu: options.mtu },
      };
      const client = await connect();
      const answer = await client.write('POST', '/weir/v1/sites', { site: body }, options);
      if (options.dryRun) {
        printDryRun(answer, options);
        return;
      }
      const { site: added, join_token } = z.object({ site, join_token: z.string() }).parse(answer);
      print(fields({ ...added, join_token }, options.output));
    });

  withOutput(sites.command('list'))
    .description('all sites, with what is behind')
    .action(async (options: Output) => {
      const client = await connect();
      const answer = z.object({ sites: z.array(site) }).parse(await client.get('/weir/v1/sites'));
      print(rows(answer.sites, ['name', 'data_center', 'lifecycle', 'reachability', 'id'], options.output));
      const { quarantine } = quarantineAnswer.parse(await client.get('/weir/v1/quarantine'));
      if (quarantine.active)
        process.stderr.write(
          'The Top is in quarantine: a site knows what its log does not. See weir site differences, adopt and discard.\n',
        );
    });

  withOutput(sites.command('show'))
    .argument('<site>', 'name or id')
    .action(async (name: string, options: Output) => {
      const client = await connect();
      const answer = z.object({ site }).parse(await client.get(`/weir/v1/sites/${await siteId(client, name)}`));
      print(fields(answer.site, options.output));
    });

  withDryRun(sites.command('remove'))
    .description('remove a site that holds no servers')
    .argument('<site>', 'name or id')
    .action(async (name: string, options: Output & Rehearsal) => {
      const client = await connect();
      const path = `/weir/v1/sites/${await siteId(client, name)}`;
      const answer = await client.write('DELETE', path, undefined, options);
      if (options.dryRun) printDryRun(answer, options);
    });

  withOutput(sites.command('facts'))
    .description('what the Top wants there, position by position')
    .argument('<site>', 'name or id')
    .action(async (name: string, options: Output) => {
      const client = await connect();
      const answer = z
        .object({ facts: z.array(z.record(z.string(), z.unknown())) })
        .parse(await client.get(`/weir/v1/sites/${await siteId(client, name)}/facts`));
      print(rows(answer.facts, ['position', 'kind', 'id'], options.output));
    });

  withOutput(sites.command('differences'))
    .description('what the site holds and the log does not want there, or the other way round')
    .argument('<site>', 'name or id')
    .action(async (name: string, options: Output) => {
      const client = await connect();
      const { differences } = differencesAnswer.parse(
        await client.get(`/weir/v1/sites/${await siteId(client, name)}/differences`),
      );
      const { only_site, only_log, different } = differences;
      const lists = { 'only the site': only_site, 'only the log': only_log, different };
      const listed = Object.entries(lists).flatMap(([where, list]) => list.map((one) => ({ where, ...one })));
      print(rows(listed, ['where', 'kind', 'id', 'name'], options.output));
      if (differences.truncated)
        process.stderr.write(`There are more: in all ${JSON.stringify(differences.counts)}.\n`);
    });

  decision(sites, 'discard', 'end a quarantine: what the site holds and the log does not know is deleted there');
  decision(sites, 'adopt', 'end a quarantine: what only the site knows is taken into the log');
}
