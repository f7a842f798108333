import { Command, InvalidArgumentError } from 'commander';
import { WeirError } from '@weir/kernel';
import { z } from 'zod';
import { Client } from './client';
import { findCloud } from './cloud';
import { fields, type Format, parseFormat, rows } from './output';

/** Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 124 a command inside an instance ran out of time; `exec` else gives the command's own. */
const DEADLINE_EXIT_CODE = 124;
const USAGE_EXIT_CODE = 2;

const execAnswer = z.object({
  exit_code: z.number().nullable(),
  timed_out: z.boolean(),
  truncated: z.boolean(),
  stdout: z.string(),
  stderr: z.string(),
});
const site = z.looseObject({ id: z.string(), name: z.string() });

const connect = () => Client.logIn(findCloud(process.env, process.cwd()));
const print = (text: string) => process.stdout.write(`${text}\n`);

interface Output {
  readonly output: Format;
}

const program = new Command('weir')
  .description('For admins and operators of Weir. Tenants use the openstack command.')
  .exitOverride((error) => {
    process.exitCode = error.exitCode === 0 ? 0 : USAGE_EXIT_CODE;
    throw error;
  });
const withOutput = (command: Command) =>
  command.option('-o, --output <format>', 'table, json, yaml or value', parseFormat, 'table');

program
  .command('exec')
  .description('run a command inside an instance')
  .argument('<server>', 'name or id')
  .argument('<command...>', 'after --')
  .option('--timeout <seconds>', 'end it after this long', parsePositive, 30)
  .action(async (server: string, command: string[], { timeout }: { timeout: number }) => {
    const client = await connect();
    const id = await serverId(client, server);
    const answer = execAnswer.parse(
      await client.post(`/weir/v1/servers/${id}/exec`, { command, timeout }, (timeout + 10) * 1000),
    );
    process.stdout.write(Buffer.from(answer.stdout, 'base64'));
    process.stderr.write(Buffer.from(answer.stderr, 'base64'));
    if (answer.truncated) process.stderr.write('weir: the output was cut after 1 MiB.\n');
    if (answer.timed_out) process.stderr.write(`weir: the command was ended after ${timeout} s.\n`);
    process.exitCode = answer.timed_out ? DEADLINE_EXIT_CODE : (answer.exit_code ?? 1);
  });

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

withOutput(program.command('events'))
  .description('the events of one server, network, router, port, subnet or site, oldest first')
  .argument('<kind>')
  .argument('<id>')
  .action(async (kind: string, id: string, options: Output) => {
    const answer = z
      .object({ events: z.array(z.record(z.string(), z.unknown())) })
      .parse(await (await connect()).get('/weir/v1/events', { kind, id }));
    print(rows(answer.events, ['position', 'time', 'stream', 'type'], options.output));
  });

async function serverId(client: Client, name: string): Promise<string> {
  const answer = z
    .object({ servers: z.array(z.object({ id: z.string(), name: z.string() })) })
    .parse(await client.get('/compute/v2.1/servers'));
  return only('server', name, answer.servers);
}

async function siteId(client: Client, name: string): Promise<string> {
  return only('site', name, z.object({ sites: z.array(site) }).parse(await client.get('/weir/v1/sites')).sites);
}

function only(kind: string, wanted: string, found: readonly { readonly id: string; readonly name: string }[]): string {
  const byId = found.find((item) => item.id === wanted);
  if (byId) return byId.id;
  const [first, second] = found.filter((item) => item.name === wanted);
  if (second) throw new WeirError('conflict', `More than one ${kind} is named '${wanted}'; use its id.`);
  if (!first) throw new WeirError('not-found', `There is no ${kind} '${wanted}'.`);
  return first.id;
}

function parsePositive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It takes a positive whole number.');
  return value;
}

program.parseAsync().catch((error: unknown) => {
  if (error instanceof Error && 'exitCode' in error) return;
  process.stderr.write(`weir: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
