import { BROADCAST_MAC, type Cidr, type Ip, type Mac, parseMac, type PortId, systemRandom } from '@weir/kernel';
import {
  decodeDhcp,
  decodeFrame,
  DHCP_SERVER_PORT,
  type DhcpLease,
  DhcpMessageType,
  DhcpOption,
  dhcpReplyFrame,
  encodeFrame,
} from '@weir/packet';
import { VirtualTime } from '@weir/testing/time';
import { SimulatedGuest } from './guest';

const SERVER_MAC = parseMac('fa:16:3e:00:00:fe');
const GATEWAY = '10.0.0.1' as Ip;
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

interface Station {
  readonly guest: SimulatedGuest;
  readonly mac: Mac;
  readonly port: PortId;
  lease: Omit<DhcpLease, 'clientMac'> | undefined;
}

/** One Ethernet with a DHCP server, and guests on it. */
class Ethernet {
  readonly time = new VirtualTime();
  readonly stations: Station[] = [];
  /** By the server, oldest first: what it was asked. */
  readonly asked: number[] = [];
  isServing = true;

  join(address: Ip, more: Partial<DhcpLease> = {}): Station {
    const number = this.stations.length + 1;
    const mac = parseMac(`fa:16:3e:00:00:0${number}`);
    const port = `port-${number}` as PortId;
    const guest = new SimulatedGuest({
      hostname: `guest-${number}`,
      send: (_port, frame) => queueMicrotask(() => this.carry(station, frame)),
      clock: this.time,
      timers: this.time,
      random: systemRandom,
    });
    const lease = { address, prefix: 24, serverAddress: GATEWAY, router: GATEWAY, dns: [], mtu: 1450, hostRoutes: [] };
    const station: Station = { guest, mac, port, lease: { ...lease, ...more } };
    this.stations.push(station);
    guest.plug([{ port, name: 'eth0', device: `w${number}`, mac, mtu: 1500 }]);
    return station;
  }

  async exec({ guest }: Station, command: string, timeoutMs = 30_000) {
    const words = command.split(' ');
    let isDone = false;
    const running = guest.exec(words, { timeoutMs, maxBytes: 10_000 }).finally(() => (isDone = true));
    await this.time.until(() => isDone);
    const { stdout, stderr, ...rest } = await running;
    return { ...rest, stdout: text(stdout), stderr: text(stderr) };
  }

  async addressOf(station: Station): Promise<string | undefined> {
    const { stdout } = await this.exec(station, 'ip -o -4 addr show dev eth0');
    return /inet (\S+)/.exec(stdout)?.[1];
  }

  private carry(from: Station, bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    if (this.isServing) this.serve(from, bytes);
    for (const { guest, mac, port } of this.stations)
      if (mac !== from.mac && (frame.destination === mac || frame.destination === BROADCAST_MAC))
        guest.receive(port, bytes);
  }

  private serve(from: Station, bytes: Uint8Array): void {
    const { payload } = decodeFrame(bytes);
    if (payload.kind !== 'ipv4' || payload.payload.kind !== 'udp') return;
    if (payload.payload.destinationPort !== DHCP_SERVER_PORT || !from.lease) return;
    this.asked.push(decodeDhcp(payload.payload.payload).options.get(DhcpOption.messageType)?.[0] ?? 0);
    const reply = dhcpReplyFrame(decodeFrame(bytes), { ...from.lease, clientMac: from.mac }, SERVER_MAC);
    if (reply) from.guest.receive(from.port, encodeFrame(reply));
  }
}

describe('a simulated guest', () => {
  let ethernet: Ethernet;
  beforeEach(() => (ethernet = new Ethernet()));

  it('asks for a lease and is configured by the answer', async () => {
    const one = ethernet.join('10.0.0.5' as Ip, { dns: ['10.0.0.2' as Ip], domainName: 'weir.test' });
    await ethernet.time.advance(0);
    const { stdout } = await ethernet.exec(one, 'ip addr');
    expect(stdout).toContain('2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 ');
    expect(stdout).toContain(`link/ether ${one.mac} `);
    expect(stdout).toContain('inet 10.0.0.5/24 brd 10.0.0.255 scope global eth0');
    expect((await ethernet.exec(one, 'ip route')).stdout).toBe(
      '10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.5 \ndefault via 10.0.0.1 dev eth0 \n',
    );
    const resolv = await ethernet.exec(one, 'cat /etc/resolv.conf');
    expect(resolv.stdout).toBe('search weir.test\nnameserver 10.0.0.2\n');
    const kept = await ethernet.exec(one, 'cat /run/weir/eth0/lease');
    expect(kept.stdout).toContain('ip=10.0.0.5\nmask=24\nrouter=10.0.0.1\n');
  });

  it('goes by the routes of option 121 alone where it gets some', async () => {
    const hostRoutes = [{ destination: '10.9.0.0/16' as Cidr, nexthop: '10.0.0.7' as Ip }];
    const one = ethernet.join('10.0.0.5' as Ip, { hostRoutes });
    await ethernet.time.advance(0);
    expect((await ethernet.exec(one, 'ip route')).stdout).toContain('10.9.0.0/16 via 10.0.0.7 dev eth0 \n');
  });

  it('asks until somebody answers', async () => {
    ethernet.isServing = false;
    const one = ethernet.join('10.0.0.5' as Ip);
    await ethernet.time.advance(10_000);
    expect(await ethernet.addressOf(one)).toBeUndefined();
    ethernet.isServing = true;
    await ethernet.time.advance(1_500);
    expect(await ethernet.addressOf(one)).toBe('10.0.0.5/24');
  });

  it('prolongs its lease at half time, and gives the address up when it ends', async () => {
    const one = ethernet.join('10.0.0.5' as Ip, { leaseSeconds: 600 });
    await ethernet.time.advance(0);
    const { discover, request } = DhcpMessageType;
    expect(ethernet.asked).toEqual([discover, request]);
    await ethernet.time.advance(301_000);
    expect(ethernet.asked).toEqual([discover, request, request]);
    ethernet.isServing = false;
    await ethernet.time.advance(590_000);
    expect(await ethernet.addressOf(one)).toBe('10.0.0.5/24');
    await ethernet.time.advance(20_000);
    expect(await ethernet.addressOf(one)).toBeUndefined();
  });

  it('takes another address when the old one is refused', async () => {
    const one = ethernet.join('10.0.0.5' as Ip, { leaseSeconds: 600 });
    await ethernet.time.advance(0);
    if (one.lease) one.lease = { ...one.lease, address: '10.0.0.6' as Ip };
    await ethernet.time.advance(301_000);
    expect(await ethernet.addressOf(one)).toBe('10.0.0.6/24');
  });

  it('pings a neighbour by ARP and ICMP', async () => {
    const one = ethernet.join('10.0.0.5' as Ip);
    ethernet.join('10.0.0.6' as Ip);
    await ethernet.time.advance(0);
    const pinged = await ethernet.exec(one, 'ping -c 3 10.0.0.6');
    expect(pinged).toMatchObject({ exitCode: 0, timedOut: false });
    expect(pinged.stdout).toContain('64 bytes from 10.0.0.6: icmp_seq=3 ttl=64 time=');
    expect(pinged.stdout).toContain('3 packets transmitted, 3 received, 0% packet loss');
    const neighbours = await ethernet.exec(one, 'ip neigh');
    expect(neighbours.stdout).toBe('10.0.0.6 dev eth0 lladdr fa:16:3e:00:00:02 REACHABLE \n');
    expect((await ethernet.exec(one, 'arping -c 1 10.0.0.6')).stdout).toContain('[fa:16:3e:00:00:02]');
  });

  it('answers itself, with a lease or without', async () => {
    const one = ethernet.join('10.0.0.5' as Ip);
    expect((await ethernet.exec(one, 'ping -c 1 127.0.0.1')).exitCode).toBe(0);
    expect((await ethernet.exec(one, 'ping -c 1 10.0.0.5')).exitCode).toBe(0);
  });

  it('is told when nobody has the address, and when there is no route', async () => {
    const one = ethernet.join('10.0.0.5' as Ip);
    const two = ethernet.join('10.0.0.6' as Ip, { router: undefined });
    await ethernet.time.advance(0);
    const pinged = await ethernet.exec(one, 'ping -c 1 10.0.0.9');
    expect(pinged.exitCode).toBe(1);
    expect(pinged.stdout).toContain('From 10.0.0.5 icmp_seq=1 Destination Host Unreachable');
    expect(await ethernet.exec(two, 'ping -c 1 192.0.2.1')).toMatchObject({
      exitCode: 2,
      stderr: 'ping: connect: Network is unreachable\n',
    });
    expect((await ethernet.exec(one, 'arping -c 2 -W 1 10.0.0.9')).exitCode).toBe(1);
  });

  it('hears datagrams on the port that it listens on, and refuses others', async () => {
    const [one, two] = [ethernet.join('10.0.0.5' as Ip), ethernet.join('10.0.0.6' as Ip)];
    await ethernet.time.advance(0);
    const heard: string[] = [];
    const socket = two.guest.listen(({ source, payload }) => heard.push(`${source} ${text(payload)}`));
    one.guest.sendDatagram(9000, '10.0.0.6' as Ip, socket.port, Buffer.from('hello'));
    await ethernet.time.advance(0);
    expect(heard).toEqual(['10.0.0.5 hello']);
    const back: number[] = [];
    one.guest.tap(one.port, (frame) => {
      const { payload } = decodeFrame(frame);
      if (payload.kind === 'ipv4' && payload.payload.kind === 'icmp' && payload.payload.type === 'unreachable')
        back.push(payload.payload.code);
    });
    socket.close();
    one.guest.sendDatagram(9000, '10.0.0.6' as Ip, socket.port, Buffer.from('hello'));
    await ethernet.time.advance(0);
    expect({ heard: heard.length, back }).toEqual({ heard: 1, back: [3] });
  });

  it('ends a command on its deadline', async () => {
    const one = ethernet.join('10.0.0.5' as Ip);
    ethernet.join('10.0.0.6' as Ip);
    await ethernet.time.advance(0);
    expect(await ethernet.exec(one, 'ping 10.0.0.6', 5_000)).toMatchObject({ exitCode: null, timedOut: true });
  });

  it('throws away what a command says over the bound', async () => {
    const { guest } = ethernet.join('10.0.0.5' as Ip);
    await ethernet.time.advance(0);
    const { stdout, truncated } = await guest.exec(['ip', 'addr'], { timeoutMs: 1_000, maxBytes: 10 });
    expect({ length: stdout.length, truncated }).toEqual({ length: 10, truncated: true });
  });

  it.each([
    ['curl http://10.0.0.6', 127, 'curl: not in a simulated instance\n'],
    ['ip -6 addr', 127, 'ip -6: not in a simulated instance\n'],
    ['ip tuntap', 127, 'ip tuntap: not in a simulated instance\n'],
    ['ping -f 10.0.0.6', 127, 'ping -f: not in a simulated instance\n'],
    ['ping -c none 10.0.0.6', 2, 'ping: -c needs a number above 0\n'],
    ['ping example.org', 2, 'ping: example.org: Name or service not known\n'],
    ['cat /etc/passwd', 1, 'cat: /etc/passwd: No such file or directory\n'],
    ['ip addr show dev eth7', 1, 'Device "eth7" does not exist.\n'],
    ['constructor', 127, 'constructor: not in a simulated instance\n'],
  ])('says of %s what is wrong', async (command, exitCode, stderr) => {
    const one = ethernet.join('10.0.0.5' as Ip);
    await ethernet.time.advance(0);
    expect(await ethernet.exec(one, command)).toMatchObject({ exitCode, stdout: '', stderr });
  });

  it('loses an interface that is taken from it', async () => {
    const one = ethernet.join('10.0.0.5' as Ip);
    await ethernet.time.advance(0);
    one.guest.plug([]);
    expect((await ethernet.exec(one, 'ip addr')).stdout).not.toContain('eth0');
    expect((await ethernet.exec(one, 'ip route')).stdout).toBe('');
  });
});
