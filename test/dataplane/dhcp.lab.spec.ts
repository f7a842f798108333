import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BROADCAST_MAC, type Ip, type Mac, macToBytes } from '@weir/kernel';
import { run, waitFor } from '@weir/lab';
import { deviceOf } from '@weir/local-controller';
import {
  decodeDhcp,
  DHCP_CLIENT_PORT,
  DHCP_SERVER_PORT,
  DhcpMessageType,
  DhcpOption,
  encodeDhcp,
  encodeFrame,
  type Frame,
  ipv4,
  udp,
} from '@weir/packet';
import { Fabric } from './fabric';
import { flowsOf, ofportOf, packetsDuring } from './flows';
import { delivered, ipOf, receivers } from './wire';
import type { End } from './world';

jest.setTimeout(30_000);

const NOBODY = '0.0.0.0' as Ip;
const EVERYBODY = '255.255.255.255' as Ip;

/** Blue and red have DHCP, equal addresses and MACs, and are of two projects; plain has none. */
describe('DHCP', () => {
  let fabric: Fabric;
  let folder: string;

  beforeAll(async () => {
    fabric = await Fabric.create({
      networks: {
        blue: { project: 'acme', cidr: '10.1.1.0/24', key: 10_001 },
        red: { project: 'beta', cidr: '10.1.1.0/24', key: 10_002 },
        plain: { project: 'acme', cidr: '10.1.3.0/24', key: 10_003, dhcp: false },
      },
      instances: {
        b1: { network: 'blue', host: 'paris-1', place: 11 },
        b2: { network: 'blue', host: 'paris-2', place: 12 },
        r1: { network: 'red', host: 'paris-1', place: 11 },
        r2: { network: 'red', host: 'tokyo-1', place: 12 },
        p1: { network: 'plain', host: 'paris-1', place: 11 },
        p2: { network: 'plain', host: 'paris-2', place: 12 },
      },
    });
    folder = join(fabric.lab.directory, 'dhcp');
    fabric.lab.own(folder);
    mkdirSync(folder);
  });

  afterAll(() => fabric.destroy());

  /** Sent by an instance's client or server, to everybody or, as when a lease is renewed, to one. */
  const dhcp = (
    from: string,
    type: number,
    change: { mac?: Mac; source?: Ip; ports?: [number, number]; to?: End } = {},
  ): Uint8Array => {
    const mac = change.mac ?? fabric.end(from).mac;
    const chaddr = new Uint8Array(16);
    chaddr.set(macToBytes(mac));
    const [sourcePort, destinationPort] = change.ports ?? [DHCP_CLIENT_PORT, DHCP_SERVER_PORT];
    const message = encodeDhcp({
      op: sourcePort === DHCP_CLIENT_PORT ? 'request' : 'reply',
      htype: 1,
      hlen: 6,
      hops: 0,
      xid: 7,
      secs: 0,
      broadcast: false,
      ciaddr: change.to ? fabric.end(from).ip : NOBODY,
      yiaddr: NOBODY,
      siaddr: NOBODY,
      giaddr: NOBODY,
      chaddr,
      sname: '',
      file: '',
      options: new Map([[DhcpOption.messageType, Uint8Array.of(type)]]),
    });
    const payload = udp(sourcePort, destinationPort, message);
    return encodeFrame({
      source: mac,
      destination: change.to?.mac ?? BROADCAST_MAC,
      payload: ipv4({ source: change.source ?? NOBODY, destination: change.to?.ip ?? EVERYBODY, payload }),
    });
  };
  const discover = (from: string): Uint8Array => dhcp(from, DhcpMessageType.discover);

  /** A busybox udhcpc in an instance; what it was told last, as its script heard it. */
  class Client {
    private readonly told: string;
    private readonly child;

    constructor(name: string) {
      this.told = join(folder, name);
      const script = `${this.told}.sh`;
      const address =
        'ip addr replace $ip/$mask dev eth0; ip link set eth0 mtu $mtu; ip route replace default via $router';
      writeFileSync(
        script,
        `#!/bin/sh\ncase $1 in bound|renew) ${address};; esac\nevent=$1 env > '${this.told}.new'; mv '${this.told}.new' '${this.told}'\n`,
      );
      chmodSync(script, 0o755);
      const words = ['udhcpc', '-f', '-n', '-t', '4', '-T', '1', '-i', 'eth0', '-s', script];
      const namespace = `--net=/run/netns/${fabric.netns(name)}`;
      this.child = spawn('setpriv', ['--pdeathsig', 'KILL', 'nsenter', namespace, '--', 'busybox', ...words], {
        stdio: 'ignore',
      });
    }

    /** What came with this event of the client's. */
    async heard(event: string): Promise<Record<string, string | undefined>> {
      return waitFor(
        () => {
          const lines = readFileSync(this.told, 'utf8').trim().split('\n');
          const words = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s))) as Record<
            string,
            string | undefined
          >;
          return words['event'] === event ? words : undefined;
        },
        { what: `the client in ${this.told} to be told '${event}'`, deadlineMs: 10_000 },
      );
    }

    async end(): Promise<void> {
      const ended = once(this.child, 'exit');
      this.child.kill('SIGKILL');
      await ended;
    }
  }

  it('B1: leads a client to the DHCP row before any look-up of MACs', async () => {
    const { lab, punts } = fabric.hostOf('b1');
    const before = punts.length;
    const tables = await packetsDuring(lab, async () => {
      fabric.wire.clear();
      await fabric.inject('b1', discover('b1'));
      await waitFor(() => punts.length > before, { what: 'the punt' });
    });
    expect(punts.slice(before)).toMatchObject([{ userdata: 'dhcp' }]);
    expect(tables).toEqual({ CLASSIFY: 1, PORT_SECURITY: 1, SERVICES: 1 });
  });

  it('B2: matches clients by their port, for ports on subnets with DHCP only', async () => {
    const { lab } = fabric.hostOf('b1');
    const rows = (await flowsOf(lab, 'table=3')).filter(({ text }) => text.includes('userdata=64.68.63.70'));
    const ports = await Promise.all(['b1', 'r1'].map((name) => ofportOf(lab, deviceOf(fabric.portOf(name)))));
    expect(rows.map(({ text }) => Number(/in_port=(\d+)/.exec(text)?.[1])).sort()).toEqual(ports.sort());
  });

  it("B3: leaves clients to a tenant's own server where a subnet has no DHCP", async () => {
    await fabric.address('p2');
    const [configuration, leases] = [join(folder, 'udhcpd.conf'), join(folder, 'leases')];
    writeFileSync(leases, '');
    const { mac, ip } = fabric.end('p1');
    const lines = ['interface eth0', `start ${ip}`, `end ${ip}`, `static_lease ${mac} ${ip}`, `lease_file ${leases}`];
    writeFileSync(
      configuration,
      [...lines, 'option subnet 255.255.255.0', 'option router 10.1.3.9', 'option mtu 1400', ''].join('\n'),
    );
    const namespace = `--net=/run/netns/${fabric.netns('p2')}`;
    const server = spawn(
      'setpriv',
      ['--pdeathsig', 'KILL', 'nsenter', namespace, '--', 'busybox', 'udhcpd', '-f', configuration],
      {
        stdio: 'ignore',
      },
    );
    const client = new Client('p1');
    expect(await client.heard('bound')).toMatchObject({ ip, router: '10.1.3.9', serverid: fabric.end('p2').ip });
    await client.end();
    const ended = once(server, 'exit');
    server.kill('SIGKILL');
    await ended;
  });

  it('B3: drops the answers of a server in an instance where we answer, and clients with a forged source', async () => {
    const { punts } = fabric.hostOf('b2');
    const answer = { source: fabric.end('b2').ip, ports: [DHCP_SERVER_PORT, DHCP_CLIENT_PORT] as [number, number] };
    expect(await fabric.send('b2', dhcp('b2', DhcpMessageType.offer, answer))).toEqual({
      deliveries: [],
      crossings: [],
    });
    // The same is heard where nobody serves.
    const served = await fabric.send(
      'p2',
      dhcp('p2', DhcpMessageType.offer, { ...answer, source: fabric.end('p2').ip }),
    );
    expect(receivers(served)).toEqual(['p1']);

    const before = punts.length;
    const forged = [{ mac: fabric.end('b1').mac }, { source: fabric.end('b1').ip }];
    const journey = await fabric.send('b2', ...forged.map((change) => dhcp('b2', DhcpMessageType.discover, change)));
    expect(journey).toEqual({ deliveries: [], crossings: [] });
    expect(punts).toHaveLength(before);
    await fabric.inject('b2', discover('b2'));
    await waitFor(() => punts.length > before, { what: 'the punt of an honest client' });
  });

  it("B4: brings the port's key to the controller with the packet", async () => {
    const { lab, punts } = fabric.hostOf('b1');
    for (const name of ['b1', 'r1']) {
      const before = punts.length;
      await fabric.inject(name, discover(name));
      await waitFor(() => punts.length > before, { what: `the punt of ${name}` });
      const ofport = await ofportOf(lab, deviceOf(fabric.portOf(name)));
      const [row] = await flowsOf(lab, `table=0,in_port=${ofport}`);
      const key = BigInt(/set_field:(0x[0-9a-f]+)->reg1/.exec(row?.text ?? '')?.[1] ?? 0);
      expect(key).toBeGreaterThan(0n);
      expect(punts[before]).toMatchObject({ userdata: 'dhcp', inPort: ofport, metadata: { reg1: key } });
    }
  });

  it('B5, G9: answers each project straight to the asking port, with all options of its subnet', async () => {
    fabric.wire.clear();
    const clients = ['b1', 'r1'].map((name) => [name, new Client(name)] as const);
    for (const [name, client] of clients) {
      expect(await client.heard('bound')).toMatchObject({
        ip: '10.1.1.11',
        mask: '24',
        subnet: '255.255.255.0',
        router: '10.1.1.1',
        serverid: '10.1.1.1',
        dns: '192.0.2.53',
        mtu: '1450',
        lease: '86400',
        hostname: name,
      });
      await client.end();
    }
    const answers = (await fabric.journey()).deliveries.filter(({ frame }) => isDhcp(frame));
    expect(new Set(answers.map(({ to }) => to))).toEqual(new Set(['b1', 'r1']));
  });

  it('B6: lets no DHCP packet leave the host, and needs no process or namespace for a subnet', async () => {
    const traces = async (): Promise<unknown> => ({
      processes: (await run('ip', ['netns', 'pids', fabric.hostOf('b1').lab.netns])).stdout.trim().split('\n').length,
      namespaces: (await run('ip', ['netns', 'list'])).stdout.split('\n').filter((line) => line.includes(fabric.lab.id))
        .length,
    });
    const before = await traces();
    const names = Array.from({ length: 30 }, (_, index) => `subnet-${index}`);
    await fabric.add({
      networks: Object.fromEntries(
        names.map((name, index) => [name, { project: 'acme', cidr: `10.2.${index}.0/24`, key: 11_000 + index }]),
      ),
      routers: { wide: { project: 'acme', networks: ['blue', ...names] } },
    });
    expect(await traces()).toEqual(before);

    fabric.wire.clear();
    const client = new Client('b1');
    await client.heard('bound');
    const journey = await fabric.send('b1', discover('b1'));
    expect(journey.crossings).toEqual([]);
    await client.end();
    // Where nobody serves, the same packet does cross.
    expect((await fabric.send('p1', discover('p1'))).crossings.map(({ frame }) => isDhcp(frame))).toEqual([true]);
  });

  it('B8: renews a lease as before while everything above the host is cut off', async () => {
    const { ip } = fabric.end('b1');
    const request = dhcp('b1', DhcpMessageType.request, { source: ip, to: fabric.gateway('blue') });
    const renew = async (): Promise<Frame> => {
      fabric.wire.clear();
      await fabric.inject('b1', request);
      await waitFor(() => fabric.wire.deliveries().length > 0, { what: 'the answer' });
      const journey = await fabric.journey();
      expect(journey.crossings).toEqual([]);
      return delivered(journey);
    };
    const before = await renew();
    const { payload } = ipOf(before);
    const answer = payload.kind === 'udp' ? decodeDhcp(payload.payload) : undefined;
    expect(answer).toMatchObject({ op: 'reply', ciaddr: ip, yiaddr: ip });
    expect(answer?.options.get(DhcpOption.messageType)).toEqual(Uint8Array.of(DhcpMessageType.ack));
    const { link } = fabric.hostOf('b1');
    link?.cut();
    expect(await renew()).toEqual(before);
    link?.heal();
  });
});

function isDhcp({ payload }: Frame): boolean {
  if (payload.kind !== 'ipv4' || payload.payload.kind !== 'udp') return false;
  return [DHCP_SERVER_PORT, DHCP_CLIENT_PORT].includes(payload.payload.destinationPort);
}
