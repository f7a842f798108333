import { conflict, type Clock, notFound, type Timers } from '@weir/kernel';
import type { Named } from '@weir/lab/deployment';
import type { Step } from './play';
import type { Stage } from './stage';
import { countsOf, expectSame, type SwitchState } from './switches';
import { table } from './table';
import { expectAllAnswered, forge, kindOf, matrix, lossesUnder, lostOf, pingEveryPair, type Placed } from './traffic';

const SUBNETS = { blue: '10.1.1.0/24', green: '10.1.2.0/24' } as const;
type NetworkName = keyof typeof SUBNETS;

interface Wanted {
  readonly name: string;
  readonly network: NetworkName;
  readonly zone: string;
}

/** With these every kind of pair is there: same host, other host, other site; each in one subnet and routed. Paris has one host per zone. */
const SERVERS: readonly Wanted[] = [
  { name: 'web-1', network: 'blue', zone: 'Paris:paris-a' },
  { name: 'web-2', network: 'blue', zone: 'Paris:paris-a' },
  { name: 'db-1', network: 'green', zone: 'Paris:paris-a' },
  { name: 'db-2', network: 'green', zone: 'Paris:paris-b' },
  { name: 'web-3', network: 'blue', zone: 'Tokyo' },
];
/** Deleted again, so it comes after all others are in place. */
const LAST: Wanted = { name: 'db-3', network: 'green', zone: 'Tokyo' };
/** Asked for while the Bottom of its site is down. */
const MEANWHILE: Wanted = { name: 'late', network: 'blue', zone: 'Tokyo' };

const LEASE_DEADLINE_MS = 15_000;
/** The story of the demo, step by step; a step finds in the fields what those before it made. */
export class Story {
  private readonly networks = new Map<NetworkName, Named & { readonly gateway: string }>();
  private readonly servers = new Map<string, Named>();
  private beforeLast: readonly SwitchState[] = [];

  constructor(
    private readonly stage: Stage,
    private readonly clock: Clock,
    private readonly timers: Timers,
  ) {}

  /** Up to the two sites. */
  opening(): readonly Step[] {
    return [
      { name: 'Build the lab', needed: true, run: () => this.stage.buildHosts() },
      { name: 'Start the Top', needed: true, run: () => this.startTop() },
      { name: 'Add the sites Paris and Tokyo', needed: true, run: (show) => this.addSites(show) },
    ];
  }

  acts(): readonly Step[] {
    return [
      { name: 'Create networks, subnets and a router', needed: true, run: () => this.createNetworks() },
      { name: 'Boot six servers over both sites', needed: true, run: (show) => this.bootServers(show) },
      { name: 'Wait for ACTIVE and DHCP leases', needed: true, run: (show) => this.showLeases(show) },
      { name: 'Ping every pair', needed: false, run: (show) => this.pingPairs(show) },
      { name: 'Forge MAC and IP addresses', needed: false, run: () => this.forgeAddresses() },
      { name: 'Ping the gateways', needed: false, run: () => this.pingGateways() },
      { name: 'Delete the server made last', needed: false, run: () => this.deleteLast() },
      {
        name: 'Kill the Tokyo Bottom and a Host under traffic',
        needed: false,
        run: (show) => this.killUnderTraffic(show),
      },
      { name: 'Show the events behind one server', needed: false, run: (show) => this.showEvents(show) },
    ];
  }

  private async startTop(): Promise<string> {
    await this.stage.startTop();
    return this.stage.weir.api;
  }

  private async addSites(show: (lines: readonly string[]) => void): Promise<string> {
    const sites = await this.stage.addSites();
    show(
      sites.map(
        ({ name, capacity }) =>
          `${name}: ${capacity.map(({ zone, total }) => `${zone} (${total.vcpus} vCPUs)`).join(', ')}`,
      ),
    );
    return `${sites.length} sites active with ${this.stage.hosts.length} hosts`;
  }

  private async createNetworks(): Promise<string> {
    const { tenant } = this.stage.weir;
    const router = await tenant.createRouter('router');
    await Promise.all(
      Object.entries(SUBNETS).map(async ([name, cidr]) => {
        const network = await tenant.createNetwork(name);
        const subnet = await tenant.createSubnet(network, cidr);
        await tenant.addInterface(router, subnet);
        this.networks.set(name as NetworkName, { ...network, gateway: subnet.gateway_ip });
      }),
    );
    return `${Object.entries(SUBNETS)
      .map(([name, cidr]) => `${name} ${cidr}`)
      .join(', ')}, joined by a router`;
  }

  private async bootServers(show: (lines: readonly string[]) => void): Promise<string> {
    const { stage } = this;
    const { weir } = stage;
    const first = await Promise.all(SERVERS.map((wanted) => this.create(wanted)));
    await weir.tenant.waitForStatus(
      first.map(({ id }) => id),
      'ACTIVE',
    );
    await weir.waitForSettled();
    this.beforeLast = await stage.switchStates();
    await this.create(LAST);
    const servers = await weir.tenant.servers();
    show(
      table(
        [...SERVERS, LAST].map(({ name, zone }) => {
          const server = servers.find((candidate) => candidate.name === name);
          return [name, `asked for ${zone}`, `goes to ${server?.zone ?? 'nowhere'}`];
        }),
      ),
    );
    return `${servers.length} servers, by zone and by data center; the last when the others were there`;
  }

  private async showLeases(show: (lines: readonly string[]) => void): Promise<string> {
    const { weir } = this.stage;
    await weir.tenant.waitForStatus(
      [...this.servers.values()].map(({ id }) => id),
      'ACTIVE',
    );
    await weir.waitForSettled();
    const placed = await this.placed();
    show(
      table(
        await Promise.all(
          placed.map(async (instance) => [instance.name, instance.host, ...(await this.untilLeased(instance))]),
        ),
      ),
    );
    await this.stage.writeLabFile();
    return `${placed.length} ACTIVE, each with the address that it was given`;
  }

  private untilLeased(instance: Placed): Promise<readonly string[]> {
    const what = `the lease of ${instance.name}`;
    return this.stage.weir.wait(() => this.leaseIn(instance), { what, deadlineMs: LEASE_DEADLINE_MS, everyMs: 100 });
  }

  /** What its DHCP client keeps and what its kernel has, read inside the instance; undefined until both are its port's. */
  private async leaseIn({ server, interface: name, ip }: Placed): Promise<readonly string[] | undefined> {
    const { tenant } = this.stage.weir;
    const kept = await tenant.exec(server, ['cat', `/run/weir/${name}/lease`]);
    const shown = await tenant.exec(server, ['ip', '-o', '-4', 'addr', 'show', 'dev', name]);
    const lease = new Map([...kept.stdout.matchAll(/^(\w+)=(.*)$/gm)].map(([, key = '', value = '']) => [key, value]));
    const address = `${ip}/${lease.get('mask') ?? ''}`;
    if (lease.get('ip') !== ip || !shown.stdout.includes(`inet ${address}`)) return undefined;
    const told = (key: string) => lease.get(key) ?? 'none';
    return [
      address,
      `from ${told('serverid')}`,
      `for ${told('lease')} s`,
      `router ${told('router')}`,
      `mtu ${told('mtu')}`,
    ];
  }

  private async pingPairs(show: (lines: readonly string[]) => void): Promise<string> {
    const placed = await this.placed();
    const pairs = await pingEveryPair(this.stage, placed);
    show(matrix(placed, pairs));
    return expectAllAnswered(pairs);
  }

  private async forgeAddresses(): Promise<string> {
    const placed = await this.placed();
    const [from, ...others] = placed.filter(({ subnet }) => subnet === 'blue');
    if (from === undefined) throw notFound('There is no server in the network blue.');
    const counts = await Promise.all(others.map((to) => forge(this.stage, from, to, freeAddress(placed))));
    const receivers = others.map((to) => `${to.name} (${kindOf(from, to)})`).join(' and ');
    const forged = counts.reduce((sum, count) => sum + count, 0);
    return `0 of ${forged} forged frames of ${from.name} reached ${receivers}; the honest ones did`;
  }

  private async pingGateways(): Promise<string> {
    const placed = await this.placed();
    const gateways = [...this.networks.values()].map(({ gateway }) => gateway);
    const reports = await Promise.all(
      placed.map(async (from) => {
        const lost: string[] = [];
        for (const gateway of gateways) {
          const { sent, received } = await this.stage.ping(from, gateway, { count: 3, intervalMs: 50 });
          if (sent === 0 || received < sent) lost.push(`${gateway} from ${from.name}`);
        }
        return lost;
      }),
    );
    const lost = reports.flat();
    if (lost.length > 0) throw conflict(`No full answer of ${lost.join(', ')}.`);
    return `${gateways.join(' and ')} answer all ${placed.length} servers`;
  }

  private async deleteLast(): Promise<string> {
    const { stage } = this;
    const { weir } = stage;
    const { name } = LAST;
    const instance = (await this.placed()).find((candidate) => candidate.name === name);
    if (instance === undefined) throw notFound(`There is no server ${name}.`);
    await weir.tenant.deleteServer(instance.server);
    this.servers.delete(name);
    await weir.waitForSettled();
    const after = await stage.switchStates();
    expectSame(this.beforeLast, after);
    if (stage.isPresent(instance)) throw conflict(`Something of ${name} is still there on ${instance.host}.`);
    const { ports } = await weir.request<{ ports: unknown[] }>(
      'GET',
      `/network/v2.0/ports?device_id=${instance.server}`,
    );
    if (ports.length > 0) throw conflict(`The port of ${name} is still there.`);
    await this.stage.writeLabFile();
    return `${name}, its lease and its instance are gone; as before it: ${countsOf(after)}`;
  }

  private async killUnderTraffic(show: (lines: readonly string[]) => void): Promise<string> {
    const pairs = this.pairsOf(await this.placed());
    let ms = 0;
    const reports = await lossesUnder(this.stage, pairs, this.timers, async () => {
      const started = this.clock.monotonic();
      await this.killAndRestart();
      ms = Math.round(this.clock.monotonic() - started);
    });
    const lines = reports.map(({ sent, missing, longestSilenceMs, rate }, index) => {
      const [from, to] = pairs[index] ?? [];
      if (from === undefined || to === undefined) return [];
      const silence = `longest silence ${Math.round(longestSilenceMs)} ms`;
      return [
        `${from.name} to ${to.name} (${kindOf(from, to)})`,
        `${missing.length} of ${sent} lost`,
        `${rate.toFixed(0)} pps`,
        silence,
      ];
    });
    show(table(lines));
    const lost = lostOf(reports);
    if (lost > 0)
      throw conflict(`${lost} packets were lost: ${lines.map((line) => line.slice(0, 2).join(' ')).join('; ')}.`);
    await this.greetLate();
    return `0 lost; all was made true ${ms} ms after the kill, ${MEANWHILE.name}, asked for meanwhile, is ACTIVE and answers`;
  }

  /** Who was asked for during the fault is as good as the others. */
  private async greetLate(): Promise<void> {
    const placed = await this.placed();
    const [first, late] = [placed[0], placed.find(({ name }) => name === MEANWHILE.name)];
    if (first === undefined || late === undefined) throw notFound(`There is no server ${MEANWHILE.name}.`);
    await this.untilLeased(late);
    const pairs = await pingEveryPair(this.stage, [first, late]);
    expectAllAnswered(pairs);
  }

  /** Kills what carries all three pairs, and the Bottom that has a server to make. */
  private async killAndRestart(): Promise<void> {
    const { weir } = this.stage;
    // Of a run that was void.
    const earlier = this.servers.get(MEANWHILE.name);
    if (earlier !== undefined) await weir.tenant.deleteServer(earlier.id);
    const killed = ['bottom-tokyo', 'host-paris-1'].map((name) => weir.process(name));
    await Promise.all(killed.map((process) => process.kill()));
    const { id } = await this.create(MEANWHILE);
    await Promise.all(killed.map((process) => process.start()));
    await weir.tenant.waitForStatus([id], 'ACTIVE');
    await weir.waitForSettled();
    await this.stage.writeLabFile();
  }

  private pairsOf(placed: readonly Placed[]): readonly (readonly [Placed, Placed])[] {
    const named = (name: string): Placed => {
      const found = placed.find((candidate) => candidate.name === name);
      if (found === undefined) throw notFound(`There is no server ${name}.`);
      return found;
    };
    return [
      [named('web-1'), named('web-2')],
      [named('web-1'), named('web-3')],
      [named('web-3'), named('db-1')],
    ];
  }

  private async showEvents(show: (lines: readonly string[]) => void): Promise<string> {
    const { id, name } = this.servers.get('web-1') ?? { id: '', name: 'web-1' };
    const { events } = await this.stage.weir.request<{
      events: { position: number; time: string; type: string; stream: string; actor: string }[];
    }>('GET', `/weir/v1/events?kind=server&id=${id}`);
    show(table(events.map(({ position, time, type, stream }) => [`#${position}`, time, type, stream])));
    const [first] = events;
    if (first === undefined) throw notFound(`${name} has no events.`);
    return `${events.length} events behind ${name}, ${first.type} the first`;
  }

  private siteOf(host: string): string {
    const found = this.stage.hosts.find(({ name }) => name === host);
    if (found === undefined) throw notFound(`There is no host ${host}.`);
    return found.site;
  }

  private async create({ name, network, zone }: Wanted): Promise<Named> {
    const networks = [this.networks.get(network)?.id ?? ''];
    const server = await this.stage.weir.tenant.createServer({ name, networks, zone });
    this.servers.set(name, server);
    return server;
  }

  /** The story's own servers in the order of their making. */
  private async placed(): Promise<readonly Placed[]> {
    const instances = await this.stage.weir.tenant.instances();
    return [...SERVERS, LAST, MEANWHILE].flatMap(({ name, network }) => {
      const instance = instances.find(({ server }) => server === this.servers.get(name)?.id);
      if (instance === undefined) return [];
      return [{ ...instance, site: this.siteOf(instance.host), subnet: network }];
    });
  }
}

/** An address of the subnet blue that no instance has. */
function freeAddress(placed: readonly Placed[]): string {
  const taken = new Set(placed.map(({ ip }) => ip));
  return ['10.1.1.252', '10.1.1.253', '10.1.1.254'].find((ip) => !taken.has(ip)) ?? '10.1.1.251';
}
