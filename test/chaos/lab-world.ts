import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLab, type Lab, ovsVsctl, type ProbeEnd, run } from '@weir/lab';
import { type Deployment, type Instance, type Named, parisAndTokyo, startDeployment } from '@weir/lab/deployment';
import { flowsOf, shape } from '../dataplane/flows';
import { buildPrograms } from '../e2e/programs';
import { contradictions } from './contradictions';

export type NetworkName = 'blue' | 'red';

const SUBNETS: Readonly<Record<NetworkName, string>> = { blue: '10.1.1.0/24', red: '10.1.2.0/24' };
const LEASE_DEADLINE_MS = 15_000;
/** Durations are told in milliseconds, and the dumps of a host are not all of one instant. */
const INSTANT_SECONDS = 1;

export interface LabWorldOptions {
  readonly port?: number;
  readonly tops?: Readonly<Record<string, string>>;
}

/** Paris and Tokyo on real switches, with two networks that a router joins. */
export class LabWorld {
  private constructor(
    private readonly folder: string,
    readonly lab: Lab,
    readonly weir: Deployment,
    private readonly networks: ReadonlyMap<NetworkName, Named>,
  ) {}

  /** `port`: of the Top. `tops`: which URL a site's Bottom is given instead of the Top's own. */
  static async start({ port = 0, tops = {} }: LabWorldOptions = {}): Promise<LabWorld> {
    const programs = await buildPrograms();
    const folder = mkdtempSync(join(tmpdir(), 'weir-chaos-'));
    let lab: Lab | undefined;
    try {
      lab = await createLab({ directory: join(folder, 'lab') });
      const bottom = bottomWith(folder, programs.bottom, tops);
      const sites = parisAndTokyo();
      const weir = await startDeployment({ programs: { ...programs, bottom }, directory: folder, lab, sites, port });
      const router = await weir.tenant.createRouter('router');
      const networks = new Map<NetworkName, Named>();
      for (const name of ['blue', 'red'] as const) {
        const network = await weir.tenant.createNetwork(name);
        await weir.tenant.addInterface(router, await weir.tenant.createSubnet(network, SUBNETS[name]));
        networks.set(name, network);
      }
      return new LabWorld(folder, lab, weir, networks);
    } catch (error) {
      await lab?.destroy();
      rmSync(folder, { recursive: true });
      throw error;
    }
  }

  /** Answers at once. */
  create(name: string, zone: string, network: NetworkName): Promise<Named> {
    return this.weir.tenant.createServer({ name, zone, networks: [this.networks.get(network)?.id ?? ''] });
  }

  /** Resolves when all are ACTIVE and have their addresses. */
  async boot(
    wanted: Readonly<Record<string, readonly [zone: string, network: NetworkName]>>,
  ): Promise<readonly Instance[]> {
    const made = await Promise.all(
      Object.entries(wanted).map(([name, [zone, network]]) => this.create(name, zone, network)),
    );
    const ids = made.map(({ id }) => id);
    await this.weir.tenant.waitForStatus(ids, 'ACTIVE');
    await this.weir.waitForSettled();
    const instances = (await this.weir.tenant.instances()).filter(({ server }) => ids.includes(server));
    await Promise.all(instances.map((instance) => this.leased(instance)));
    return instances;
  }

  /** Resolves when its address is on its interface. */
  async leased({ netns, ip, name }: Instance): Promise<void> {
    const condition = async () => (await run('ip', ['-4', '-o', 'addr'], { netns })).stdout.includes(` ${ip}/`);
    await this.weir.wait(condition, { what: `the lease of ${name}`, deadlineMs: LEASE_DEADLINE_MS });
  }

  /** What of the data plane must outlive any restart of ours. */
  async footprint(): Promise<Footprint> {
    const hosts = await Promise.all(
      this.lab.hosts.map(async (host) => {
        const flows = await flowsOf(host);
        const ports = await ovsVsctl(host, [
          '--format=csv',
          '--no-headings',
          '--columns=name,ofport',
          'list',
          'interface',
        ]);
        return { name: host.name, at: performance.now() / 1_000, flows, ports: ports.trim().split('\n').sort() };
      }),
    );
    const instances = await this.weir.tenant.instances();
    const inodes = instances.map(({ name, netns }) => `${name} ${statSync(`/run/netns/${netns}`).ino}`);
    return { hosts, inodes: inodes.sort() };
  }

  /** What stands on the hosts and nobody asked for: namespaces and ports of servers that the API does not have, and the other way round. */
  async orphans(): Promise<readonly string[]> {
    const instances = await this.weir.tenant.instances();
    const faults: string[] = [];
    const wired = new Map<string, string>();
    for (const host of this.lab.hosts) {
      const rows = await ovsVsctl(host, ['--format=json', '--columns=name,external_ids', 'list', 'interface']);
      const { data } = JSON.parse(rows) as { data: [string, ['map', [string, string][]]][] };
      for (const [device, [, ids]] of data) {
        const port = new Map(ids).get('iface-id');
        if (port === undefined) continue;
        if (wired.has(port)) faults.push(`port ${port} is on ${wired.get(port) ?? ''} and on ${host.name}`);
        wired.set(port, host.name);
        if (!instances.some((instance) => instance.port === port))
          faults.push(`${device} on ${host.name} is no server's`);
      }
    }
    for (const { name, port, host } of instances) {
      if (wired.get(port) !== host) faults.push(`${name} is on ${host}, and its port ${wired.get(port) ?? 'nowhere'}`);
    }
    const namespaces = new Set(await this.instanceNamespaces());
    for (const { name, netns } of instances) if (!namespaces.delete(netns)) faults.push(`${name} has no namespace`);
    return [...faults, ...[...namespaces].map((netns) => `namespace ${netns} is no server's`)];
  }

  /** Ends the Top, and compares what it has stored with itself; everything else is left running. */
  async contradictions(): Promise<readonly string[]> {
    await this.weir.process('top').stop();
    return contradictions(join(this.folder, 'state', 'top'));
  }

  async stop(): Promise<void> {
    await this.weir.stop();
    await this.lab.destroy();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Of instances whose veths hang on hosts of this lab: other labs may run beside it. */
  private async instanceNamespaces(): Promise<readonly string[]> {
    const links = await Promise.all(
      this.lab.hosts.map(async ({ netns }) => (await run('ip', ['-n', netns, 'link', 'show', 'type', 'veth'])).stdout),
    );
    return [...new Set(links.join('\n').match(/weir-[0-9a-f]{8}-[0-9a-f-]{27}/g) ?? [])];
  }
}

/** A program that is the Bottom, told of another Top where the site has one. */
function bottomWith(folder: string, own: string, tops: Readonly<Record<string, string>>): string {
  const program = join(folder, 'bottom.cjs');
  const lines = [
    `const tops = ${JSON.stringify(tops)};`,
    `const [state, top] = ['--state', '--top'].map((flag) => process.argv.indexOf(flag) + 1);`,
    `const site = process.argv[state].split('bottom-').at(-1);`,
    `process.argv[top] = tops[site] ?? process.argv[top];`,
    `require(${JSON.stringify(own)});`,
  ];
  writeFileSync(program, `${lines.join('\n')}\n`);
  return program;
}

interface HostFootprint {
  readonly name: string;
  /** Seconds. */
  readonly at: number;
  readonly flows: Awaited<ReturnType<typeof flowsOf>>;
  readonly ports: readonly string[];
}

export interface Footprint {
  readonly hosts: readonly HostFootprint[];
  readonly inodes: readonly string[];
}

/** Flows that came, went, were put in anew or lost their count, ports with other numbers, and namespaces that were made again. */
export function differences(before: Footprint, after: Footprint): readonly string[] {
  const faults = before.hosts.flatMap((host, index) => differencesOf(host, after.hosts[index]));
  if (after.inodes.join() !== before.inodes.join())
    faults.push(`namespaces were ${before.inodes.join()} and are ${after.inodes.join()}`);
  return faults;
}

function differencesOf(before: HostFootprint, after: HostFootprint | undefined): string[] {
  const { name } = before;
  if (after === undefined) return [`${name} is gone`];
  const faults: string[] = [];
  const flows = new Map(after.flows.map((flow) => [shape(flow), flow]));
  for (const flow of before.flows) {
    const now = flows.get(shape(flow));
    flows.delete(shape(flow));
    if (now === undefined) {
      faults.push(`${name} lost ${shape(flow)}`);
      continue;
    }
    const age = after.at - before.at + flow.durationSeconds;
    if (now.durationSeconds < age - INSTANT_SECONDS) faults.push(`${name} put in anew ${shape(flow)}`);
    if (now.packets < flow.packets) faults.push(`${name} forgot the count of ${shape(flow)}`);
  }
  faults.push(...[...flows.keys()].map((flow) => `${name} has in addition ${flow}`));
  if (after.ports.join() !== before.ports.join())
    faults.push(`${name} had ports ${before.ports.join()}, has ${after.ports.join()}`);
  return faults;
}

export const endOf = ({ netns, ip }: Instance): ProbeEnd => ({ netns, address: ip });
