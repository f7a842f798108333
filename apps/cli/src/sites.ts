import type { Command } from 'commander';
import { z } from 'zod';
import { type Output, parsePositive, withOutput } from './options';
import { fields, rows } from './output';
import { connect, print, siteId } from './session';

const site = z.looseObject({ id: z.string(), name: z.string() });

/** `weir site …` */
export function addSites(program: Command): void {
  const sites = program.command('site').description('sites: add, list, show, remove');

  withOutput(sites.command('add'))
    .description('add a site; prints the join token for its Bottom, once')
    .argument('<name>')
    .requiredOption('--data-center <name>', 'the first half of its zones’ names')
    .requiredOption('--zone <name...>', 'its availability zones')
    .option('--driver <driver>', 'what makes it true', 'ovs')
    .option('--mtu <bytes>', 'of the underlay', parsePositive, 1500)
    .action(
      async (name: string, options: Output & { dataCenter: string; zone: string[]; driver: string; mtu: number }) => {
        const body = {
          name,
          data_center: options.dataCenter,
          availability_zones: options.zone,
          driver: options.driver,
          tunnel: { type: 'vxlan', mtu: options.mtu },
        };
        const answer = z
          .object({ site, join_token: z.string() })
          .parse(await (await connect()).post('/weir/v1/sites', { site: body }));
        print(fields({ ...answer.site, join_token: answer.join_token }, options.output));
      },
    );

  withOutput(sites.command('list'))
    .description('all sites, with what is behind')
    .action(async (options: Output) => {
      const answer = z.object({ sites: z.array(site) }).parse(await (await connect()).get('/weir/v1/sites'));
      print(rows(answer.sites, ['name', 'data_center', 'lifecycle', 'reachability', 'id'], options.output));
    });

  withOutput(sites.command('show'))
    .argument('<site>', 'name or id')
    .action(async (name: string, options: Output) => {
      const client = await connect();
      const answer = z.object({ site }).parse(await client.get(`/weir/v1/sites/${await siteId(client, name)}`));
      print(fields(answer.site, options.output));
    });

  sites
    .command('remove')
    .description('remove a site that holds no servers')
    .argument('<site>', 'name or id')
    .action(async (name: string) => {
      const client = await connect();
      await client.delete(`/weir/v1/sites/${await siteId(client, name)}`);
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
}
