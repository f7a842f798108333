import { randomInt } from 'node:crypto';
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { conflict, forbidden, type Logger, notFound, silentLogger } from '@weir/kernel';
import type { LabHost } from './host';
import { HostSwitch } from './host-switch';
import { setUpNamespace } from './namespace';
import { type LabPlan, type LabSite, planLab, type PlannedSite, twoSites } from './plan';
import { endProcess, identify, processesIn } from './processes';
import { LabRecord } from './record';
import { CommandFailed, netnsPath, run } from './run';
import { deleteNamespaces, destroyLeftovers, tearDown } from './tear-down';

export interface LabOptions {
  /** In every name of the lab; chosen at random unless said. */
  readonly id?: string;
  /** For databases, logs, sockets and the state file; `.weir/labs/<id>` unless said. One lab at a time uses it. */
  readonly directory?: string;
  readonly sites?: readonly LabSite[];
  readonly logger?: Logger;
}

export interface InstanceOptions {
  readonly host: HostName;
  readonly name: string;
  readonly mac: string;
  /** Names the host's end of the veth: `w` and its first 11 hexadecimal digits. */
  readonly portId: string;
}

/** A namespace with an `eth0` of the given MAC and no address at all; nobody has put it into a bridge. */
export interface LabInstance {
  readonly name: string;
  readonly host: string;
  readonly netns: string;
  readonly interface: 'eth0';
  readonly hostInterface: string;
  readonly mac: string;
  readonly portId: string;
}

/** A host, or the name of one. */
export type HostName = string | { readonly name: string };

const PHYSICAL_BRIDGE = 'br-physical';
/** A socket's path holds at most 107 bytes; its name in a host's folder gets 32 of them, the host's own name 14. */
const LONGEST_FOLDER = 107 - 32 - 14;
/** Above any index that the kernel gives in a host's or the router's namespace. */
const FIRST_UNDERLAY_INDEX = 10_000;
/**
 * With the userspace datapath a host's kernel also hears what the ports of a bridge receive. It would take packets for the
 * address of `br-phy` a second time, and answer instances that ask for it. No route leads back through those ports: with
 * this, a condition for being heard.
 */
const BRIDGED = { 'net/ipv4/conf/all/rp_filter': '1' };
/** OVS forgets a tunnel neighbour after 15 idle minutes. */
const NEIGHBOURS_EVERY_MS = 5 * 60_000;

/**
 * Builds hosts on an underlay with a router between the sites; resolves when the underlay works. Cleans up a crashed lab
 * in the same folder first. Leaves nothing when it rejects: `conflict` where a living lab uses the folder, `forbidden`
 * without root.
 */
export async function createLab(options: LabOptions = {}): Promise<Lab> {
  if (process.getuid?.() !== 0) throw forbidden('The lab makes network namespaces, for which it must run as root.');
  const id =
    options.id ??
    randomInt(36 ** 4)
      .toString(36)
      .padStart(4, '0');
  const plan = planLab(id, options.sites ?? twoSites());
  const directory = resolve(options.directory ?? join('.weir', 'labs', id));
  await destroyLeftovers(directory);

  const plain = /^[\w./-]+$/.test(directory) && Buffer.byteLength(directory) <= LONGEST_FOLDER;
  const base = plain ? directory : `/run/weir-${id}`;
  const namespaces = [
    plan.underlayNetns,
    plan.routerNetns,
    ...plan.sites.flatMap((site) => site.hosts.map((host) => host.netns)),
  ];
  const taken = namespaces.find((name) => existsSync(netnsPath(name)));
  if (taken !== undefined) throw conflict(`The namespace ${taken} is there already; the lab needs another id.`);
  const owner = identify(process.pid);
  if (owner === undefined) throw new Error('/proc does not show this process.');
  const hosts = plan.sites.flatMap((site) => site.hosts);
  const record = new LabRecord(directory, {
    id,
    owner,
    namespaces,
    processes: [],
    folders: hosts.map((host) => join(directory, host.name)),
    shortcut: plain ? null : base,
  });
  const lab = new Lab(id, plan, base, record, options.logger ?? silentLogger);
  try {
    if (!plain) symlinkSync(directory, base);
    await lab.build();
  } catch (error) {
    await lab.destroy();
    throw error;
  }
  return lab;
}

/** Open vSwitch hosts in network namespaces; made by `createLab`. */
export class Lab {
  readonly hosts: readonly LabHost[];
  private readonly switches: readonly HostSwitch[];
  private readonly placed = new Map<string, LabInstance>();
  private readonly refresh: NodeJS.Timeout;

  constructor(
    readonly id: string,
    private readonly plan: LabPlan,
    private readonly base: string,
    private readonly record: LabRecord,
    private readonly logger: Logger,
  ) {
    this.switches = plan.sites.flatMap((site) =>
      site.hosts.map((planned) => {
        const { name, netns, underlay } = planned;
        const rundir = join(base, name);
        const [ovsdb, openflow] = [join(rundir, 'db.sock'), join(rundir, 'br-int.mgmt')];
        const host: LabHost = { name, site: site.name, netns, bridge: 'br-int', ovsdb, openflow, underlay, rundir };
        return new HostSwitch(host, planned, site, record);
      }),
    );
    this.hosts = this.switches.map((each) => each.host);
    this.refresh = setInterval(() => void this.refreshNeighbours(), NEIGHBOURS_EVERY_MS).unref();
  }

  get directory(): string {
    return this.record.directory;
  }

  get instances(): readonly LabInstance[] {
    return [...this.placed.values()];
  }

  host(name: string): LabHost {
    return this.switchOf(name).host;
  }

  /** Called by `createLab` alone. */
  async build(): Promise<void> {
    for (const host of this.hosts) mkdirSync(host.rundir, { recursive: true });
    // Made once and copied; it lies in a folder that is removed with the lab.
    const emptyDatabase = join(this.hosts[0]?.rundir ?? this.directory, 'empty.db');
    const schema = '/usr/share/openvswitch/vswitch.ovsschema';
    await Promise.all([run('ovsdb-tool', ['create', emptyDatabase, schema]), this.makeNamespaces()]);
    await Promise.all([
      this.setUpUnderlay(),
      this.setUpRouter(),
      ...this.switches.map(async (each) => {
        const commands = ['link set eth0 up', 'link set eth1 up'];
        await setUpNamespace({ netns: each.host.netns, veths: ['eth0', 'eth1'], commands, sysctls: BRIDGED });
        await each.create(emptyDatabase);
      }),
    ]);
  }

  /** Takes a host's tunnel interface, or a site's link to the router, off the underlay. */
  async cut(siteOrHost: string): Promise<void> {
    await run('ip', ['-n', this.plan.underlayNetns, 'link', 'set', this.linkOf(siteOrHost), 'down']);
  }

  async heal(siteOrHost: string): Promise<void> {
    await run('ip', ['-n', this.plan.underlayNetns, 'link', 'set', this.linkOf(siteOrHost), 'up']);
    await this.refreshNeighbours();
  }

  async setUnderlayMtu(mtu: number): Promise<void> {
    const set = (netns: string, links: readonly string[]): Promise<unknown> =>
      run('ip', ['-n', netns, '-batch', '-'], { input: links.map((link) => `link set ${link} mtu ${mtu}\n`).join('') });
    const sites = this.plan.sites;
    const links = sites.flatMap((site) => [
      site.routerLink,
      ...site.hosts.map((host) => host.underlayLink),
      site.bridge,
    ]);
    await Promise.all([
      set(this.plan.underlayNetns, links),
      set(
        this.plan.routerNetns,
        sites.map((site) => site.name),
      ),
      ...this.hosts.map((host) => set(host.netns, ['eth0', 'br-phy'])),
    ]);
  }

  /** By default as a crash does; resolves when the process is gone. */
  async killVswitchd(host: HostName, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.switchOf(host).kill('ovs-vswitchd', signal);
  }

  /** Resolves when the bridges are there and the underlay works again; nothing to do while it runs. */
  async startVswitchd(host: HostName): Promise<void> {
    await this.switchOf(host).startVswitchd();
  }

  async killOvsdbServer(host: HostName, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.switchOf(host).kill('ovsdb-server', signal);
  }

  async startOvsdbServer(host: HostName): Promise<void> {
    await this.switchOf(host).startOvsdbServer();
  }

  /** Lets a process that the lab did not start end with it, also after a crash. */
  track(pid: number): void {
    const process = identify(pid);
    if (process !== undefined) this.record.addProcess(process);
  }

  /** Lets a folder or file that the lab did not make go with it, also after a crash. */
  own(path: string): void {
    this.record.addFolder(path);
  }

  async addInstance(options: InstanceOptions): Promise<LabInstance> {
    const { host } = this.switchOf(options.host);
    const { name, mac, portId } = options;
    if (this.placed.has(name)) throw conflict(`The lab has an instance '${name}' already.`);
    const netns = `weir-${this.id}-i-${name}`;
    const hostInterface = `w${portId.replaceAll('-', '').slice(0, 11)}`;
    const instance: LabInstance = { name, host: host.name, netns, interface: 'eth0', hostInterface, mac, portId };
    this.placed.set(name, instance);
    this.record.addNamespace(netns);
    const veth = `link add name ${hostInterface} netns ${host.netns} type veth peer name eth0 address ${mac} netns ${netns}`;
    try {
      await run('ip', ['-batch', '-'], { input: `netns add ${netns}\n${veth}\n` });
      await Promise.all([
        setUpNamespace({ netns, veths: ['eth0'], commands: ['link set eth0 up'] }),
        setUpNamespace({ netns: host.netns, veths: [hostInterface], commands: [`link set ${hostInterface} up`] }),
      ]);
    } catch (error) {
      await this.removeInstance(name);
      throw error;
    }
    return instance;
  }

  /** Its veth is gone from the host when this resolves. */
  async removeInstance(name: string): Promise<void> {
    const instance = this.placed.get(name);
    if (instance === undefined) throw notFound(`The lab has no instance '${name}'.`);
    await Promise.all(processesIn([instance.netns]).map((process) => endProcess(process)));
    // Not left to the namespace, whose links the kernel removes some time later.
    await run('ip', ['-n', this.host(instance.host).netns, 'link', 'del', instance.hostInterface]).catch(
      ignoreNoDevice,
    );
    await deleteNamespaces([instance.netns]);
    this.placed.delete(name);
    this.record.removeNamespace(instance.netns);
  }

  /** Ends every process in the lab's namespaces and removes namespaces and files. May be called again. */
  async destroy(): Promise<void> {
    clearInterval(this.refresh);
    await tearDown(this.directory, this.record.state);
  }

  private async makeNamespaces(): Promise<void> {
    const { underlayNetns, routerNetns, sites } = this.plan;
    const ends = sites.flatMap((site) => [
      [site.name, routerNetns, site.routerLink, site.gatewayMac] as const,
      ...site.hosts.flatMap((host) => [
        ['eth0', host.netns, host.underlayLink, host.mac] as const,
        ['eth1', host.netns, host.physicalLink, host.externalMac] as const,
      ]),
    ]);
    const links = ends.map(([name, netns, peer, mac], index) => veth(name, netns, peer, underlayNetns, mac, index));
    const namespaces = this.record.state.namespaces.map((name) => `netns add ${name}`);
    await run('ip', ['-batch', '-'], { input: [...namespaces, ...links, ''].join('\n') });
  }

  private async setUpUnderlay(): Promise<void> {
    const { underlayNetns, sites } = this.plan;
    const bridge = (name: string, links: readonly string[]): string[] => [
      `link add name ${name} type bridge mcast_snooping 0`,
      `link set ${name} up`,
      ...links.map((link) => `link set ${link} master ${name} up`),
    ];
    const linksOf = (site: PlannedSite): string[] => [site.routerLink, ...site.hosts.map((host) => host.underlayLink)];
    const physical = sites.flatMap((site) => site.hosts.map((host) => host.physicalLink));
    await setUpNamespace({
      netns: underlayNetns,
      veths: [...sites.flatMap(linksOf), ...physical],
      commands: [...sites.flatMap((site) => bridge(site.bridge, linksOf(site))), ...bridge(PHYSICAL_BRIDGE, physical)],
    });
  }

  private async setUpRouter(): Promise<void> {
    const { routerNetns, sites } = this.plan;
    await setUpNamespace({
      netns: routerNetns,
      veths: sites.map((site) => site.name),
      commands: sites.flatMap((site) => [
        `addr add ${site.gateway}/${site.prefix} dev ${site.name}`,
        `link set ${site.name} up`,
        ...site.hosts.map((host) => `neigh replace ${host.underlay} lladdr ${host.mac} dev ${site.name} nud permanent`),
      ]),
      sysctls: { 'net/ipv4/ip_forward': '1' },
    });
  }

  private async refreshNeighbours(): Promise<void> {
    const running = this.switches.filter((each) => each.runs('ovs-vswitchd'));
    for (const each of running) {
      await each.restoreUnderlay().catch((error: unknown) => {
        this.logger.warn('The neighbours of tunnels could not be set.', { host: each.host.name, error });
      });
    }
  }

  private linkOf(siteOrHost: string): string {
    const site = this.plan.sites.find((candidate) => candidate.name === siteOrHost);
    const host = this.plan.sites.flatMap((each) => each.hosts).find((candidate) => candidate.name === siteOrHost);
    const link = site?.routerLink ?? host?.underlayLink;
    if (link === undefined) throw notFound(`The lab has no site or host '${siteOrHost}'.`);
    return link;
  }

  private switchOf(host: HostName): HostSwitch {
    const name = typeof host === 'string' ? host : host.name;
    const found = this.switches.find((candidate) => candidate.host.name === name);
    if (found === undefined) throw notFound(`The lab has no host '${name}'.`);
    return found;
  }
}

/**
 * The index keeps the two ends' apart: Linux takes a veth whose peer has its own index for a plain link, and then takes up
 * to a second until it lets a bridge forward to it.
 */
function veth(name: string, netns: string, peer: string, peerNetns: string, mac: string, index: number): string {
  const underlayEnd = `name ${peer} netns ${peerNetns} index ${FIRST_UNDERLAY_INDEX + index}`;
  return `link add ${underlayEnd} type veth peer name ${name} netns ${netns} address ${mac}`;
}

function ignoreNoDevice(error: unknown): void {
  if (!(error instanceof CommandFailed && error.stderr.includes('Cannot find device'))) throw error;
}
