import {
  type Ip,
  type Mac,
  type NetworkId,
  parseCidr,
  parseIp,
  parseMac,
  type PortId,
  type RouterId,
  type ServerId,
  silentLogger,
  type SiteId,
  type SubnetId,
} from '@weir/kernel';
import type { FactLine, Observation } from '@weir/cascade';
import { MemorySlice } from '@weir/cascade/memory';
import { ChangeRefused } from '@weir/openflow';
import { MemorySwitchDatabase } from '@weir/ovsdb/memory';
import {
  decodeDhcp,
  decodeFrame,
  DhcpMessageType,
  DhcpOption,
  encodeDhcp,
  encodeFrame,
  type Frame,
  ipv4,
  udp,
} from '@weir/packet';
import type { Output } from '@weir/pipeline/interpreter';
import { VirtualTime } from '@weir/testing/time';
import type { FactBody, FactKind } from '@weir/topology';
import { deviceOf, type HostDescription, LocalController, STATE_HOLDING } from './index';
import { MemoryControllerState, MemoryInstances, MemorySwitch } from './memory';

const HOST: HostDescription = {
  ...{ name: 'paris-1', zone: 'a', vcpus: 8, ramMb: 16_384, diskGb: 100, hypervisor: 'namespace' },
  endpoint: parseIp('198.51.100.1'),
};
const OTHER = { name: 'paris-2', endpoint: parseIp('198.51.100.2') };
const BRIDGE = 'br-int';
const BROADCAST = 'ff:ff:ff:ff:ff:ff' as Mac;

const id = (kind: number, index: number) => `${kind}${index}000000-0000-4000-8000-000000000000`;
const NETWORK = id(1, 1) as NetworkId;
const SUBNET = id(2, 1) as SubnetId;
const ROUTER = id(3, 1) as RouterId;
const GATEWAY = { ip: parseIp('10.1.1.1'), mac: parseMac('fa:16:3e:00:00:01') };

type Line = { readonly kind: FactKind; readonly id: string; readonly body?: FactBody<FactKind> };
const fact = <K extends FactKind>(kind: K, body: FactBody<K>, name = (body as { id: string }).id): Line => ({
  kind,
  id: name,
  body,
});
const tombstone = (kind: FactKind, name: string): Line => ({ kind, id: name });

const network = (segment: FactBody<'network'>['segment'] = { type: 'vxlan', key: 10_001 }): Line =>
  fact('network', { id: NETWORK, project: 'demo', name: 'blue', mtu: 1450, segment });
const BLUE: readonly Line[] = [
  network(),
  fact('subnet', {
    ...{ id: SUBNET, network: NETWORK, name: 'blue', cidr: parseCidr('10.1.1.0/24'), gatewayIp: GATEWAY.ip },
    ...{ enableDhcp: true, dnsNameservers: [], hostRoutes: [], serverIp: GATEWAY.ip, serverMac: GATEWAY.mac },
  }),
];
const ROUTED: readonly Line[] = [
  fact('router', { id: ROUTER, project: 'demo', name: 'r', adminStateUp: true, routes: [] }),
  fact('router-interface', { id: id(4, 1) as PortId, router: ROUTER, network: NETWORK, subnet: SUBNET, ...GATEWAY }),
];

interface TestServer {
  readonly server: ServerId;
  readonly port: PortId;
  readonly mac: Mac;
  readonly ip: Ip;
  readonly lines: readonly Line[];
}

function serverAt(index: number, host: { readonly name: string; readonly endpoint: Ip } = HOST): TestServer {
  const [server, port] = [id(5, index) as ServerId, id(6, index) as PortId];
  const [mac, ip] = [parseMac(`fa:16:3e:00:01:0${index}`), parseIp(`10.1.1.${10 + index}`)];
  const size = { vcpus: 1, ramMb: 128, diskGb: 1, image: 'weir-instance', power: 'on' as const };
  const own = host.name === HOST.name;
  return {
    ...{ server, port, mac, ip },
    lines: [
      fact('port', {
        ...{ id: port, network: NETWORK, project: 'demo', name: '', mac, fixedIps: [{ subnet: SUBNET, ip }] },
        ...{ adminStateUp: true, portSecurity: true, server },
      }),
      fact('binding', { port, host: host.name, endpoint: host.endpoint }, port),
      ...(own
        ? [
            fact('server', {
              id: server,
              project: 'demo',
              name: `web ${index}`,
              site: id(7, 1) as SiteId,
              zone: 'a',
              ports: [port],
              ...size,
            }),
          ]
        : []),
    ],
  };
}

/** Everything of a host that a restart of its process leaves, and its Bottom. */
class World {
  readonly time = new VirtualTime();
  readonly switch = new MemorySwitch({ keepsCommits: true });
  readonly database = new MemorySwitchDatabase();
  readonly instances = new MemoryInstances({ plugged: (device) => this.database.addDevice(device) });
  readonly slice = new MemorySlice({ stateHolding: STATE_HOLDING });
  readonly state = new MemoryControllerState();
  readonly outputs: Output[] = [];
  readonly said: { readonly message: string; readonly fields: unknown }[] = [];
  readonly seen = new Map<string, Observation>();
  controller = this.make();
  private position = 0;
  private generation = 0;

  constructor() {
    this.switch.onOutput = (output) => void this.outputs.push(output);
    this.database.onPortsChanged((ports) => {
      for (const { name, ofport } of ports)
        if (ofport !== undefined) this.switch.addPort(ofport, name === 'weir-vxlan');
    });
  }

  private make(): LocalController {
    const say = (message: string, fields: unknown) => void this.said.push({ message, fields });
    return new LocalController({
      host: HOST,
      bridge: { name: BRIDGE, datapathType: 'netdev' },
      ...{ slice: this.slice, state: this.state, database: this.database, instances: this.instances },
      connect: () => this.switch.connect(),
      ...{ clock: this.time, timers: this.time },
      logger: { ...silentLogger, warn: say, error: say },
      outlets: { observed: () => undefined, settled: () => undefined },
    });
  }

  /** The process ended, however it did; a new one begins. */
  async restart(): Promise<void> {
    await this.controller.stop();
    this.switch.commits.length = 0;
    this.controller = this.make();
    this.controller.start();
  }

  /** One mark's worth. */
  async tell(lines: readonly Line[], { caughtUp = true, of = this.generation || 1 } = {}): Promise<number> {
    if (of !== this.generation) {
      this.generation = of;
      this.position = 0;
      await this.controller.newGeneration(of);
    }
    const position = ++this.position;
    const facts = lines.map(({ kind, id: name, body }): FactLine =>
      body === undefined
        ? { type: 'delete', kind, id: name, position }
        : { type: 'upsert', kind, id: name, position, body: body as unknown as Record<string, unknown> },
    );
    await this.controller.apply(facts, { position, digest: `d${position}`, generation: of, caughtUp });
    return position;
  }

  async settled(position = this.position): Promise<void> {
    await this.time.until(() => this.controller.settled() >= position);
  }

  value(kind: string, name: string): unknown {
    for (const observation of this.controller.observations(false))
      this.seen.set(`${observation.kind} ${observation.id}`, observation);
    return this.seen.get(`${kind} ${name}`)?.value;
  }

  metrics(): { bundles: number; flowsAdded: number; punts: Record<string, number>; messages: Record<string, number> } {
    return this.value('metrics', HOST.name) as ReturnType<World['metrics']>;
  }

  ofport(port: string): number {
    const found = this.database.ports().find(({ externalIds }) => externalIds['iface-id'] === port);
    return found?.ofport ?? NaN;
  }

  /** A frame from an instance, and what leaves the switch because of it, the controller's answers included. */
  send(port: string, frame: Frame): Output[] {
    this.outputs.length = 0;
    this.switch.receive({ inPort: this.ofport(port), frame: encodeFrame(frame) });
    return [...this.outputs];
  }

  flows(): string[] {
    return this.switch.flows.map(({ flow }) => `${flow.table} ${flow.priority} ${flow.cookie}`).sort();
  }
}

function dhcp(from: TestServer, type: number = DhcpMessageType.discover, mac = from.mac): Frame {
  const chaddr = new Uint8Array(16);
  chaddr.set(mac.split(':').map((byte) => parseInt(byte, 16)));
  const none = '0.0.0.0' as Ip;
  const message = {
    ...{ op: 'request' as const, htype: 1, hlen: 6, hops: 0, xid: 7, secs: 0, broadcast: false },
    ...{ ciaddr: none, yiaddr: none, siaddr: none, giaddr: none, chaddr, sname: '', file: '' },
    options: new Map([[DhcpOption.messageType, new Uint8Array([type])]]),
  };
  const payload = udp(68, 67, encodeDhcp(message));
  return {
    source: mac,
    destination: BROADCAST,
    payload: ipv4({ source: none, destination: parseIp('255.255.255.255'), payload }),
  };
}

function offerIn([output]: readonly Output[]): Ip | undefined {
  const frame = output && decodeFrame(output.frame);
  if (frame?.payload.kind !== 'ipv4' || frame.payload.payload.kind !== 'udp') return undefined;
  return decodeDhcp(frame.payload.payload.payload).yiaddr;
}

let world: World;
const web = serverAt(1);
const db = serverAt(2);
const far = serverAt(3, OTHER);

beforeEach(() => {
  world = new World();
  world.controller.start();
});

afterEach(() => world.controller.stop());

describe('a local controller', () => {
  it('makes an instance, its port and its flows, and only then says that it is active', async () => {
    const position = await world.tell([...BLUE, ...web.lines, ...far.lines]);
    expect(world.controller.settled()).toBeLessThan(position);
    await world.settled();
    expect(world.instances.get(web.server)).toMatchObject({ running: true, interfaces: [{ name: 'eth0', mtu: 1450 }] });
    expect(world.value('server', web.server)).toEqual({ status: 'active', host: 'paris-1' });
    expect(world.value('port', web.port)).toEqual({ status: 'active' });
    expect(world.value('port', far.port)).toBeUndefined();
    const port = world.database.ports().find(({ name }) => name === deviceOf(web.port));
    expect(port).toMatchObject({ owned: true, externalIds: { 'iface-id': web.port, 'attached-mac': web.mac } });
  });

  it('tells who it is', () => {
    const { name, ...description } = HOST;
    expect(world.value('host', name)).toEqual(description);
  });

  it('starts an instance only when its flows are on the switch', async () => {
    world.switch.refusal = new ChangeRefused('x', {
      errorType: 1,
      errorCode: 1,
      errorName: 'OFPBRC_BAD_LEN',
      data: new Uint8Array(),
    });
    await world.tell([...BLUE, ...web.lines]);
    expect(world.instances.get(web.server)?.running ?? false).toBe(false);
    await world.settled();
    expect(world.instances.get(web.server)?.running).toBe(true);
  });

  it('commits one bundle per change, and none for what changes nothing here', async () => {
    await world.tell([...BLUE, ...web.lines]);
    await world.settled();
    const before = world.metrics();
    await world.tell([...far.lines]);
    expect(world.metrics().bundles).toBe(before.bundles + 1);
    await world.tell([
      fact('router', { id: ROUTER, project: 'demo', name: 'lonely', adminStateUp: false, routes: [] }),
    ]);
    await world.tell([]);
    expect(world.metrics().bundles).toBe(before.bundles + 1);
    expect(world.metrics().messages).toEqual({ network: 1, subnet: 1, port: 2, binding: 2, server: 1, router: 1 });
  });

  it('knows a port by its id and MAC when somebody else plugs it in, before the facts or after them', async () => {
    const plug = async (server: TestServer, mac: string) => {
      world.database.addDevice(`vm${server.port[1] ?? ''}`);
      const externalIds = { 'iface-id': server.port, 'attached-mac': mac.toUpperCase() };
      await world.database.ensurePort({ bridge: BRIDGE, name: `vm${server.port[1] ?? ''}`, externalIds });
    };
    const portsOnly = (server: TestServer) => server.lines.filter(({ kind }) => kind !== 'server');
    await world.tell(BLUE);
    await plug(web, web.mac);
    await world.tell([...portsOnly(web), ...portsOnly(db)]);
    await plug(db, db.mac);
    await world.time.until(() => world.controller.status().inSync);
    await world.time.advance(100);
    const frame: Frame = {
      ...{ source: web.mac, destination: db.mac },
      payload: ipv4({ source: web.ip, destination: db.ip, payload: udp(1, 2, new Uint8Array([1])) }),
    };
    expect(world.send(web.port, frame).map(({ port }) => port)).toEqual([world.ofport(db.port)]);

    const stranger = serverAt(4);
    await world.tell(portsOnly(stranger));
    await plug(stranger, web.mac);
    await world.time.advance(100);
    expect(world.send(web.port, { ...frame, destination: stranger.mac })).toEqual([]);
  });

  it('names an instance that cannot be made, settles on, and makes it when it can be', async () => {
    world.instances.faults.set(web.server, new Error('no memory left'));
    await world.tell([...BLUE, ...web.lines]);
    await world.settled();
    const fault = { host: 'paris-1', message: 'no memory left' };
    expect(world.value('server', web.server)).toEqual({ status: 'error', host: 'paris-1', fault });
    world.instances.faults.clear();
    await world.time.until(() => (world.value('server', web.server) as { status: string }).status === 'active');
  });

  it('names a network that it cannot isolate', async () => {
    await world.tell([network({ type: 'gre', key: 1 }), ...BLUE.slice(1), ...web.lines]);
    await world.settled();
    expect(world.value('server', web.server)).toMatchObject({
      status: 'error',
      fault: { message: "Network 'blue' is isolated by gre, which this host cannot do." },
    });
  });

  it('starts an instance again that ended by itself', async () => {
    await world.tell([...BLUE, ...web.lines]);
    await world.settled();
    world.instances.end(web.server);
    await world.time.until(() => world.instances.get(web.server)?.running === true);
  });

  it('waits for a database that is away', async () => {
    await world.tell(BLUE);
    world.database.setAway(true);
    await world.tell(web.lines);
    await world.time.advance(10_000);
    expect(world.value('server', web.server)).toBeUndefined();
    world.database.setAway(false);
    await world.settled();
  });

  it('passes over malformed facts, keeps unknown ones, and says both', async () => {
    await world.tell([
      ...BLUE,
      { kind: 'port', id: web.port, body: { id: web.port } as unknown as FactBody<'port'> },
      { kind: 'firewall' as FactKind, id: 'x', body: {} as FactBody<FactKind> },
    ]);
    await world.settled();
    expect(world.controller.status().unknownKinds).toEqual(['firewall']);
    expect(world.said.map(({ message }) => message)).toEqual(
      expect.arrayContaining([
        'A fact is malformed and is passed over',
        'Facts of an unknown kind are kept and not used',
      ]),
    );
  });
});

describe('an explicit delete', () => {
  it('of a server removes its port, its flows and the instance, and is then seen gone', async () => {
    await world.tell([...BLUE, ...web.lines]);
    await world.settled();
    const before = world.flows();
    await world.tell(db.lines);
    await world.settled();
    const position = await world.tell([tombstone('server', db.server)]);
    expect(world.controller.settled()).toBeLessThan(position);
    await world.settled();
    expect(world.value('server', db.server)).toEqual({ status: 'gone' });
    expect(world.seen.get(`server ${db.server}`)?.position).toBe(position);
    expect(world.value('port', db.port)).toEqual({ status: 'gone' });
    expect(world.instances.get(db.server)).toBeUndefined();
    expect(
      world.database
        .ports()
        .map(({ name }) => name)
        .sort(),
    ).toEqual([deviceOf(web.port), 'weir-vxlan'].sort());
    await world.tell([tombstone('port', db.port), tombstone('binding', db.port)]);
    expect(world.flows()).toEqual(before);
  });

  it('of a server that was never here is seen gone at once, as often as it is told', async () => {
    await world.tell(BLUE);
    for (let times = 0; times < 2; times++) {
      const position = await world.tell([tombstone('server', db.server)]);
      await world.settled();
      expect(world.value('server', db.server)).toEqual({ status: 'gone' });
      expect(world.seen.get(`server ${db.server}`)?.position).toBe(position);
    }
  });

  it('of one port takes it from the instance that stays', async () => {
    await world.tell([...BLUE, ...web.lines]);
    await world.settled();
    const [server] = web.lines.filter(({ kind }) => kind === 'server');
    const without = { ...server, body: { ...(server?.body as FactBody<'server'>), ports: [] } } as Line;
    await world.tell([without, tombstone('port', web.port)]);
    await world.settled();
    expect(world.value('port', web.port)).toEqual({ status: 'gone' });
    expect(world.instances.get(web.server)).toMatchObject({ running: true, interfaces: [] });
    expect(world.database.ports().map(({ name }) => name)).toEqual(['weir-vxlan']);
  });

  it('of a port that it never had, or has forgotten, is answered when its departure is told', async () => {
    await world.tell([...BLUE, ...web.lines]);
    await world.settled();
    const departure = (port: PortId) => fact('departure', { id: port, of: 'port', server: web.server });
    await world.tell([departure(db.port)]);
    await world.settled();
    expect(world.value('port', db.port)).toEqual({ status: 'gone' });
    expect(world.value('server', web.server)).toEqual({ status: 'active', host: 'paris-1' });
    const [server] = web.lines.filter(({ kind }) => kind === 'server');
    const without = { ...server, body: { ...(server?.body as FactBody<'server'>), ports: [] } } as Line;
    await world.tell([without, tombstone('port', web.port), departure(web.port)]);
    await world.settled();
    expect(world.database.ports().map(({ name }) => name)).toEqual(['weir-vxlan']);
    expect(world.value('port', web.port)).toEqual({ status: 'gone' });
  });

  it('of a server is said again after a restart, while its departure is told', async () => {
    const departure = fact('departure', { id: web.server, of: 'server', server: web.server });
    await world.tell([...BLUE, ...web.lines]);
    await world.settled();
    await world.tell([tombstone('server', web.server), departure]);
    await world.settled();
    await world.restart();
    world.seen.clear();
    await world.tell([]);
    await world.settled();
    expect(world.value('server', web.server)).toEqual({ status: 'gone' });
    await world.tell([tombstone('departure', web.server)]);
    world.seen.clear();
    await world.settled();
    for (const { kind, id: name } of world.controller.observations(true))
      expect(`${kind} ${name}`).not.toBe(`server ${web.server}`);
  });

  it('of another host’s port is for that host to call gone', async () => {
    await world.tell([...BLUE, ...web.lines, ...far.lines]);
    await world.tell([tombstone('port', far.port), tombstone('binding', far.port)]);
    await world.settled();
    expect(world.value('port', far.port)).toBeUndefined();
  });

  it('survives a crash between the word and the deed', async () => {
    await world.tell([...BLUE, ...web.lines]);
    await world.settled();
    world.instances.faults.set(web.server, new Error('busy'));
    await world.tell([tombstone('server', web.server)]);
    await world.time.advance(1_000);
    world.instances.faults.clear();
    await world.restart();
    await world.tell([]);
    await world.settled();
    expect(world.instances.get(web.server)).toBeUndefined();
    expect(world.value('server', web.server)).toEqual({ status: 'gone' });
  });
});

describe('absence', () => {
  it('removes neither instance nor port, but is named', async () => {
    await world.tell([...BLUE, ...web.lines]);
    await world.settled();
    await world.tell([], { of: 2 });
    await world.settled();
    await world.time.advance(100);
    expect(world.instances.get(web.server)?.running).toBe(true);
    expect(world.ofport(web.port)).not.toBeNaN();
    expect(world.controller.status().orphans).toEqual([`port ${web.port}`, `server ${web.server}`]);
    await world.tell(web.lines);
    await world.settled();
    await world.time.advance(100);
    expect(world.controller.status().orphans).toEqual([]);
  });

  it('ends with a departure, which is answered as any', async () => {
    await world.tell([...BLUE, ...web.lines]);
    await world.settled();
    await world.tell([], { of: 2 });
    await world.settled();
    await world.time.advance(100);
    expect(world.controller.status().orphans).toContain(`server ${web.server}`);
    await world.tell([fact('departure', { id: web.server, of: 'server', server: web.server })], { of: 2 });
    await world.settled();
    await world.time.advance(100);
    expect(world.instances.get(web.server)).toBeUndefined();
    const said = world.controller.observations(true).find(({ id: name }) => name === web.server);
    expect(said?.value).toEqual({ status: 'gone' });
  });
});

describe('a restart', () => {
  it('changes no flow before the first caught-up mark, and then none that is as it should be', async () => {
    await world.tell([...BLUE, ...web.lines]);
    await world.settled();
    const flows = world.flows();
    await world.restart();
    await world.tell([...db.lines.filter(({ kind }) => kind !== 'server')], { caughtUp: false });
    await world.time.advance(2_000);
    expect(world.switch.commits).toEqual([]);
    await world.tell([]);
    await world.settled();
    expect(world.switch.commits).toEqual([]);
    expect(world.flows()).toEqual(flows);
  });

  it('commits what came meanwhile in one bundle, which leaves the rest alone', async () => {
    await world.tell([...BLUE, ...web.lines]);
    await world.settled();
    const flows = world.flows();
    await world.restart();
    await world.tell(far.lines);
    await world.settled();
    expect(world.switch.commits).toHaveLength(1);
    expect(world.switch.commits[0]).toMatchObject({ remove: [], removeGroups: [] });
    expect(world.flows()).toEqual(expect.arrayContaining(flows));
  });

  it('answers DHCP from what is stored while the Bottom is away', async () => {
    await world.tell([...BLUE, ...web.lines]);
    await world.settled();
    await world.restart();
    await world.time.until(() => world.controller.status().connected);
    expect(offerIn(world.send(web.port, dhcp(web)))).toBe(web.ip);
  });

  it('of the switch is noticed, and everything is loaded again', async () => {
    await world.tell([...BLUE, ...web.lines]);
    await world.settled();
    const flows = world.flows();
    world.switch.restart();
    expect(world.flows()).toEqual([]);
    await world.time.until(() => world.flows().length > 0);
    expect(world.flows()).toEqual(flows);
  });

  it('of both loads at once what is stored, since the switch has nothing of ours', async () => {
    await world.tell([...BLUE, ...web.lines]);
    await world.settled();
    const flows = world.flows();
    world.switch.restart();
    await world.restart();
    await world.time.until(() => world.flows().length > 0);
    expect(world.flows()).toEqual(flows);
  });

  it('without its folder finds everything again', async () => {
    await world.tell([...BLUE, ...web.lines]);
    await world.settled();
    const before = world.ofport(web.port);
    await world.controller.stop();
    const forgetful = new World();
    Object.assign(forgetful, { switch: world.switch, database: world.database, instances: world.instances });
    world = forgetful;
    await world.restart();
    await world.tell([...BLUE, ...web.lines]);
    await world.settled();
    expect(world.ofport(web.port)).toBe(before);
    expect(world.value('server', web.server)).toMatchObject({ status: 'active' });
  });
});

describe('a punted packet', () => {
  beforeEach(async () => {
    await world.tell([...BLUE, ...ROUTED, ...web.lines]);
    await world.settled();
  });

  it('of a DHCP client is answered to the asking port alone', () => {
    const outputs = world.send(web.port, dhcp(web));
    expect(outputs.map(({ port }) => port)).toEqual([world.ofport(web.port)]);
    expect(offerIn(outputs)).toBe(web.ip);
    expect(world.metrics().punts).toEqual({ dhcp: 1 });
  });

  it('is answered only as often as one port may ask, whatever it sends', async () => {
    let offers = 0;
    for (let times = 0; times < 50; times++) offers += world.send(web.port, dhcp(web)).length;
    expect(offers).toBe(10);
    expect(world.metrics().punts).toEqual({ dhcp: 50, 'over the rate': 40 });
    await world.time.advance(1_000);
    expect(world.send(web.port, dhcp(web))).toHaveLength(1);
  });

  it('that is malformed is counted and dropped', () => {
    const none = '0.0.0.0' as Ip;
    const payload = udp(68, 67, new Uint8Array([1, 1, 6]));
    const frame = {
      source: web.mac,
      destination: BROADCAST,
      payload: ipv4({ source: none, destination: parseIp('255.255.255.255'), payload }),
    };
    expect(world.send(web.port, frame)).toEqual([]);
    expect(world.metrics().punts).toEqual({ dhcp: 1, malformed: 1 });
  });

  it('that cannot be routed is answered by the gateway', () => {
    const to = (destination: string, ttl = 64): unknown => {
      const [output] = world.send(web.port, {
        ...{ source: web.mac, destination: GATEWAY.mac },
        payload: ipv4({
          source: web.ip,
          destination: parseIp(destination),
          ttl,
          payload: udp(1, 2, new Uint8Array([1])),
        }),
      });
      const frame = output && decodeFrame(output.frame);
      if (frame?.payload.kind !== 'ipv4') return undefined;
      const { source, destination: back, payload } = frame.payload;
      return { port: output?.port, mac: frame.destination, source, back, payload };
    };
    const answer = (payload: object) => ({
      ...{ port: world.ofport(web.port), mac: web.mac, source: GATEWAY.ip, back: web.ip },
      payload: expect.objectContaining(payload) as unknown,
    });
    expect(to('192.0.2.1')).toEqual(answer({ type: 'unreachable', code: 0 }));
    expect(to('10.1.1.77')).toEqual(answer({ type: 'unreachable', code: 1 }));
    expect(to('10.1.1.1')).toEqual(answer({ type: 'unreachable', code: 3 }));
    expect(to('10.1.1.77', 1)).toEqual(answer({ type: 'time-exceeded', code: 0 }));
  });
});

describe('a command inside an instance', () => {
  it('is asked for with a server and words, and answered in base64', async () => {
    await world.tell([...BLUE, ...web.lines]);
    await world.settled();
    world.instances.answer = (_server, command, { timeoutMs, maxBytes }) => ({
      ...{ exitCode: 3, timedOut: false, truncated: false, stdout: Buffer.from(command.join(' ')) },
      stderr: Buffer.from(`${timeoutMs} ${maxBytes}`),
    });
    expect(
      await world.controller.query('exec', { server: web.server, command: ['id', '-u'], timeoutMs: 5 }, 9),
    ).toEqual({
      ...{ exitCode: 3, timedOut: false, truncated: false, stdout: btoa('id -u'), stderr: btoa('5 1048576') },
    });
  });

  it.each([
    [{ server: web.server }, 'asked for with'],
    [{ server: 'x', command: ['id'] }, 'asked for with'],
    [{ server: web.server, command: [] }, 'asked for with'],
    [{ server: db.server, command: ['id'] }, 'is not on host'],
  ])('is refused: %j', async (body, message) => {
    await expect(world.controller.query('exec', body, 10)).rejects.toThrow(message);
  });

  it('waits until the instance runs', async () => {
    world.database.setAway(true);
    await world.tell([...BLUE, ...web.lines]);
    await expect(world.controller.query('exec', { server: web.server, command: ['id'] }, 10)).rejects.toThrow(
      'does not run yet',
    );
  });

  it('is the only thing asked besides the status', async () => {
    await expect(world.controller.query('dance', {}, 10)).rejects.toThrow("'dance'");
    expect(await world.controller.query('status', {}, 10)).toMatchObject({ taken: 0, orphans: [] });
  });
});
