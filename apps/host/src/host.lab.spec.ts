import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BROADCAST_MAC,
  type Ip,
  type Mac,
  type NetworkId,
  parseCidr,
  parseIp,
  parseMac,
  type PortId,
  type RouterId,
  type ServerId,
  type SiteId,
  silentLogger,
  type SubnetId,
  systemClock,
  systemRandom,
  systemTimers,
} from '@weir/kernel';
import { type Observation, Publisher } from '@weir/cascade';
import { cascadeHttpHandler } from '@weir/cascade/http';
import { MemoryFactStore, MemoryMembership } from '@weir/cascade/memory';
import {
  capture,
  createLab,
  inject,
  type Lab,
  type LabHost,
  ovsOfctl,
  ovsVsctl,
  ping,
  run,
  startUdpProbe,
  waitFor,
} from '@weir/lab';
import { deviceOf } from '@weir/local-controller';
import { connectOpenFlow, formatFlow, formatGroup, formatMeter } from '@weir/openflow';
import { encodeFrame, ipv4, udp } from '@weir/packet';
import type { FactBody, FactKind, FlowChanges } from '@weir/topology';

jest.setTimeout(60_000);

const ROOT = join(__dirname, '..', '..', '..');
const SITE = systemRandom.uuid() as SiteId;
const DEADLINE_MS = 20_000;

interface ExecAnswer {
  readonly exitCode: number | null;
  readonly timedOut: boolean;
  readonly truncated: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** Says by hand what a Bottom would say, and remembers what its hosts saw. */
class HandWrittenBottom {
  readonly facts = new MemoryFactStore({ generation: 1 });
  readonly seen = new Map<string, Observation>();
  private readonly membership = new MemoryMembership(() => 1);
  private readonly publisher: Publisher;
  private readonly server: Server;

  constructor(private readonly hosts: readonly string[]) {
    for (const host of hosts) this.membership.invite(`token of ${host}`, host);
    this.publisher = new Publisher({
      name: 'bottom',
      facts: this.facts,
      membership: this.membership,
      events: {
        reported: (host, { observations }) => {
          for (const observation of observations)
            this.seen.set(`${host} ${observation.kind} ${observation.id}`, observation);
          return Promise.resolve();
        },
        reachability: () => undefined,
        diverged: (host) => fail(`${host} diverged`),
      },
      clock: systemClock,
      timers: systemTimers,
      random: systemRandom,
      logger: silentLogger,
    });
    const handle = cascadeHttpHandler(this.publisher, { logger: silentLogger });
    this.server = createServer((request, response) => void handle(request, response));
  }

  async listen(): Promise<void> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** To all hosts, but servers, which only their own one hears of. */
  publish(changes: readonly Change[], at: (server: string) => string): number {
    const position = this.facts.head().position + 1;
    this.facts.commit({
      position,
      digest: systemRandom.uuid(),
      changes: changes.flatMap(({ op, kind, id, body }) =>
        (kind === 'server' ? [at(id)] : this.hosts).map((follower) => ({
          ...{ follower, op, kind, id },
          ...(body && { body: body }),
        })),
      ),
    });
    this.publisher.changed();
    return position;
  }

  async settled(position = this.facts.head().position): Promise<void> {
    await waitFor(() => this.hosts.every((host) => this.publisher.status(host).settled >= position), {
      what: `all hosts to settle at ${position}: ${this.hosts.map((host) => this.publisher.status(host).settled).join()}`,
      deadlineMs: DEADLINE_MS,
    });
  }

  status(host: string, kind: string, id: string): unknown {
    return (this.seen.get(`${host} ${kind} ${id}`)?.value as { status?: unknown } | undefined)?.status;
  }

  metrics(host: string): Record<string, unknown> {
    return this.seen.get(`${host} metrics ${host}`)?.value as Record<string, unknown>;
  }

  async exec(host: string, server: string, command: readonly string[], timeoutMs = 10_000): Promise<ExecAnswer> {
    const answer = (await this.publisher.query(
      host,
      'exec',
      { server, command, timeoutMs },
      timeoutMs + 5_000,
    )) as ExecAnswer;
    const text = (field: string) => Buffer.from(field, 'base64').toString();
    return { ...answer, stdout: text(answer.stdout), stderr: text(answer.stderr) };
  }

  /** As a Bottom asks, in the order in which it would publish. */
  async preview(host: string, changes: readonly Change[]): Promise<FlowChanges> {
    const key = ({ kind, id }: Change) => `${kind}\n${id}`;
    const ordered = [...changes].sort((one, other) => (key(one) < key(other) ? -1 : 1));
    const question = { changes: ordered, maxCharacters: 1_000_000 };
    return (await this.publisher.query(host, 'preview', question, 5_000)) as FlowChanges;
  }

  async close(): Promise<void> {
    this.publisher.close();
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}

interface Change {
  readonly op: 'upsert' | 'delete';
  readonly kind: FactKind;
  readonly id: string;
  readonly body?: FactBody<FactKind>;
}

function upsert<K extends FactKind>(kind: K, body: FactBody<K>, id = (body as { id: string }).id): Change {
  return { op: 'upsert', kind, id, body };
}

/** A real Host process, run from its source. */
class HostProcess {
  private child: ChildProcess | undefined;
  readonly lines: { level: string; message: string }[] = [];

  constructor(
    readonly host: LabHost,
    private readonly bottom: HandWrittenBottom,
    readonly state: string,
    private readonly lab: Lab,
  ) {}

  start(): void {
    const { name, ovsdb, netns, underlay } = this.host;
    const words = {
      ...{
        bottom: this.bottom.url,
        token: `token of ${name}`,
        name,
        zone: 'a',
        vcpus: '8',
        'ram-mb': '16384',
        'disk-gb': '100',
      },
      ...{ hypervisor: 'namespace', ovsdb: `unix:${ovsdb}`, netns, 'tunnel-ip': underlay, state: this.state },
    };
    const child = spawn(
      process.execPath,
      [
        ...['--conditions=weir-source', 'scripts/run-ts.mjs', 'apps/host/src/main.ts'],
        ...Object.entries(words).flatMap(([flag, value]) => [`--${flag}`, value]),
      ],
      { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] },
    );
    this.child = child;
    this.lab.track(child.pid ?? 0);
    let rest = '';
    child.stdout.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.lines.push(JSON.parse(line) as { level: string; message: string });
    });
  }

  get errors(): string[] {
    return this.lines.filter(({ level }) => level === 'error').map((line) => JSON.stringify(line));
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return null;
    const exit = once(child, 'exit');
    child.kill(signal);
    const [code] = (await exit) as [number | null];
    return code;
  }
}

const mac = (place: number): Mac => parseMac(`fa:16:3e:00:00:${place.toString(16).padStart(2, '0')}`);

function network(octet: number, key: number, { dhcp = true } = {}) {
  const id = systemRandom.uuid() as NetworkId;
  const subnet = systemRandom.uuid() as SubnetId;
  const gateway = parseIp(`10.1.${octet}.1`);
  const gatewayMac = mac(octet);
  return {
    ...{ id, subnet, octet, gateway, gatewayMac },
    facts: [
      upsert('network', { id, project: 'demo', name: `net-${octet}`, mtu: 1450, segment: { type: 'vxlan', key } }),
      upsert('subnet', {
        ...{ id: subnet, network: id, name: `subnet-${octet}`, cidr: parseCidr(`10.1.${octet}.0/24`) },
        ...{ gatewayIp: gateway, enableDhcp: dhcp, dnsNameservers: [parseIp('192.0.2.53')], hostRoutes: [] },
        ...{ serverIp: gateway, serverMac: gatewayMac },
      }),
    ],
  };
}

interface TestServer {
  readonly id: ServerId;
  readonly port: PortId;
  readonly name: string;
  readonly host: LabHost;
  readonly ip: Ip;
  readonly mac: Mac;
  readonly netns: string;
  readonly facts: readonly Change[];
}

let places = 10;
function server(name: string, host: LabHost, on: ReturnType<typeof network>): TestServer {
  const [id, port] = [systemRandom.uuid() as ServerId, systemRandom.uuid() as PortId];
  const place = ++places;
  const [ip, own] = [parseIp(`10.1.${on.octet}.${place}`), mac(place)];
  const resources = { vcpus: 1, ramMb: 128, diskGb: 1, image: 'weir-instance', power: 'on' as const };
  return {
    ...{ id, port, name, host, ip, mac: own, netns: `weir-${id}` },
    facts: [
      upsert('server', { id, project: 'demo', name, site: SITE, zone: 'a', ports: [port], ...resources }),
      upsert('port', {
        ...{ id: port, network: on.id, project: 'demo', name, mac: own, fixedIps: [{ subnet: on.subnet, ip }] },
        ...{ adminStateUp: true, portSecurity: true, server: id },
      }),
      upsert('binding', { port, host: host.name, endpoint: parseIp(host.underlay) }, port),
    ],
  };
}

/** Rows without what counts, and each with how old it is. */
async function flowsOf(host: LabHost): Promise<Map<string, number>> {
  const flows = new Map<string, number>();
  for (const line of (await ovsOfctl(host, ['dump-flows'])).split('\n')) {
    const [, duration] = /duration=([\d.]+)s/.exec(line) ?? [];
    if (duration !== undefined) flows.set(line.replace(/ (duration|n_packets|n_bytes)=[^,]*,/g, ''), Number(duration));
  }
  return flows;
}

/** All that a switch has, row by row; one port by its name. */
async function rowsOf(host: LabHost, named?: { readonly device: string; readonly ofport: string }): Promise<string[]> {
  const connection = await connectOpenFlow({
    path: host.openflow,
    logger: silentLogger,
    clock: systemClock,
    timers: systemTimers,
  });
  try {
    const flows = (await connection.flows()).map(({ flow }) => formatFlow(flow));
    const others = (await connection.groups()).map((group) => formatGroup(group));
    const meters = (await connection.meters()).map(formatMeter);
    const name = (row: string) =>
      named ? row.replaceAll(new RegExp(`\\b(in_port=|output:)${named.ofport}\\b`, 'g'), `$1${named.device}`) : row;
    return [...flows, ...others, ...meters].map(name).sort();
  } finally {
    await connection.close();
  }
}

/** `<device>,<ofport>` of each. */
async function ofportsOf(host: LabHost): Promise<string[]> {
  const list = ['--format=csv', '--no-headings', '--columns=name,ofport', 'list', 'interface'];
  return (await ovsVsctl(host, list)).trim().split('\n').sort();
}

const inode = (name: string) => statSync(`/run/netns/${name}`).ino;

describe('two Hosts of different sites', () => {
  let lab: Lab;
  let folder: string;
  let bottom: HandWrittenBottom;
  let paris: HostProcess;
  let tokyo: HostProcess;
  const [blue, green] = [network(1, 10_001), network(2, 10_002)];
  const router = systemRandom.uuid() as RouterId;
  const [servers, homes] = [new Map<string, TestServer>(), new Map<string, string>()];

  const at = (id: string) => homes.get(id) ?? '';
  const get = (name: string): TestServer => {
    const found = servers.get(name);
    if (!found) throw new Error(`No server ${name}`);
    return found;
  };
  const boot = (name: string, on: HostProcess, net: ReturnType<typeof network>): TestServer => {
    const made = server(name, on.host, net);
    servers.set(name, made);
    homes.set(made.id, on.host.name);
    bottom.publish(made.facts, at);
    return made;
  };
  const active = (...names: string[]): Promise<unknown> =>
    waitFor(() => names.map(get).every(({ host, id }) => bottom.status(host.name, 'server', id) === 'active'), {
      what: `${names.join()} to be active`,
      deadlineMs: DEADLINE_MS,
    });
  const leased = (...names: string[]): Promise<unknown> =>
    waitFor(
      async () => {
        for (const { netns, ip } of names.map(get)) {
          const { stdout } = await run('ip', ['-n', netns, '-4', 'addr', 'show', 'dev', 'eth0']);
          if (!stdout.includes(`inet ${ip}/24`)) return false;
        }
        return true;
      },
      { what: `the leases of ${names.join()}`, deadlineMs: DEADLINE_MS },
    );
  const inside = (name: string, ...command: string[]) => bottom.exec(get(name).host.name, get(name).id, command);

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'weir-host-'));
    lab = await createLab();
    const [one, other] = [lab.host('paris-1'), lab.host('tokyo-1')];
    bottom = new HandWrittenBottom([one.name, other.name]);
    await bottom.listen();
    paris = new HostProcess(one, bottom, join(folder, 'paris'), lab);
    tokyo = new HostProcess(other, bottom, join(folder, 'tokyo'), lab);
    const link = (net: ReturnType<typeof network>) =>
      upsert('router-interface', {
        ...{ id: systemRandom.uuid() as PortId, router, network: net.id, subnet: net.subnet },
        ...{ ip: net.gateway, mac: net.gatewayMac },
      });
    const routing = upsert('router', { id: router, project: 'demo', name: 'r', adminStateUp: true, routes: [] });
    bottom.publish([...blue.facts, ...green.facts, routing, link(blue), link(green)], at);
    paris.start();
    tokyo.start();
    boot('web', paris, blue);
    boot('db', tokyo, blue);
    boot('cache', tokyo, green);
    await active('web', 'db', 'cache');
    await bottom.settled();
    await leased('web', 'db', 'cache');
  });

  afterAll(async () => {
    await Promise.all([paris?.end('SIGTERM'), tokyo?.end('SIGTERM')]);
    await bottom?.close();
    await lab?.destroy();
    rmSync(folder, { recursive: true, force: true });
  });

  it('give their instances leases, by which they reach each other and their gateways', async () => {
    const pairs: [string, string][] = [
      [get('web').netns, get('db').ip],
      [get('web').netns, get('cache').ip],
      [get('cache').netns, get('web').ip],
      [get('db').netns, get('cache').ip],
      [get('web').netns, blue.gateway],
      [get('cache').netns, green.gateway],
    ];
    for (const [netns, address] of pairs)
      expect([address, (await ping(netns, address)).received]).toEqual([address, 3]);
    const { stdout } = await inside('web', 'sh', '-c', 'ip -4 addr show eth0; ip route; cat /etc/resolv.conf');
    expect(stdout).toContain('mtu 1450');
    expect(stdout).toContain('default via 10.1.1.1 dev eth0');
    expect(stdout).toContain('nameserver 192.0.2.53');
    expect([...paris.errors, ...tokyo.errors]).toEqual([]);
  });

  it('say by ICMP, from the gateway, what is not there', async () => {
    const probe = [
      'import socket, sys',
      's = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)',
      's.setsockopt(socket.IPPROTO_IP, 11, 1)',
      's.settimeout(3)',
      's.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, int(sys.argv[3]))',
      's.connect((sys.argv[1], int(sys.argv[2]))); s.send(b"?")',
      'try: s.recv(1)',
      'except OSError as e: print(e.errno)',
      '_, data, _, _ = s.recvmsg(100, 1000, 0x2000)',
      'print(data[0][2][5], data[0][2][6], socket.inet_ntoa(data[0][2][20:24]))',
    ].join('\n');
    const ask = async (address: string, ttl = 64) =>
      (
        await run('/usr/bin/python3', ['-c', probe, address, '9', String(ttl)], { netns: get('web').netns })
      ).stdout.split('\n')[1];
    expect(await ask(blue.gateway)).toBe('3 3 10.1.1.1');
    expect(await ask('10.1.2.200')).toBe('3 1 10.1.1.1');
    expect(await ask('192.0.2.9')).toBe('3 0 10.1.1.1');
    expect(await ask(get('cache').ip, 1)).toBe('11 0 10.1.1.1');
  });

  it('run commands inside an instance, with their exit code, their deadline and at most 1 MiB of output', async () => {
    expect(await inside('web', 'sh', '-c', 'echo out; echo err >&2; exit 7')).toEqual({
      ...{ exitCode: 7, timedOut: false, truncated: false, stdout: 'out\n', stderr: 'err\n' },
    });
    expect((await inside('web', 'sh', '-c', 'kill -SEGV $$')).exitCode).toBe(139);
    expect((await inside('web', 'no-such-command')).exitCode).toBe(127);
    const web = get('web');
    const late = await bottom.exec(web.host.name, web.id, ['sh', '-c', 'setsid sleep 7654 & echo on; sleep 7654'], 500);
    expect(late).toEqual({ exitCode: null, timedOut: true, truncated: false, stdout: 'on\n', stderr: '' });
    expect((await inside('web', 'ps', 'ax')).stdout).not.toContain('7654');
    await inside('web', 'sh', '-c', 'sleep 4567 > /dev/null &');
    expect((await inside('web', 'ps', 'ax')).stdout).toContain('sleep 4567');
    const large = await inside('web', 'sh', '-c', 'head -c 3000000 /dev/zero; exit 3');
    expect([large.exitCode, large.truncated, large.stdout.length]).toEqual([3, true, 1024 * 1024]);
    await expect(bottom.exec(web.host.name, get('db').id, ['true'])).rejects.toThrow('is not on host');
  });

  it('foretell, row by row, what a switch then has', async () => {
    const [before, made] = [await rowsOf(paris.host), server('foreseen', paris.host, blue)];
    const elsewhere = await rowsOf(tokyo.host);
    servers.set('foreseen', made);
    homes.set(made.id, paris.host.name);
    const told = await bottom.preview('paris-1', made.facts);
    const toldElsewhere = await bottom.preview(
      'tokyo-1',
      made.facts.filter(({ kind }) => kind !== 'server'),
    );
    expect([await rowsOf(paris.host), await rowsOf(tokyo.host)]).toEqual([before, elsewhere]);

    bottom.publish(made.facts, at);
    await active('foreseen');
    await bottom.settled();
    const device = deviceOf(made.port);
    const ofport = (await ofportsOf(paris.host)).find((line) => line.startsWith(device))?.split(',')[1] ?? '';
    const after = await rowsOf(paris.host, { device, ofport });
    const listed = ({ flows, groups, meters }: FlowChanges, which: 'added' | 'changed') =>
      [...flows[which], ...groups[which], ...meters[which]].sort();
    const newIn = (rows: readonly string[], old: readonly string[]) => rows.filter((row) => !old.includes(row));
    expect(newIn(after, before)).toEqual([...listed(told, 'added'), ...listed(told, 'changed')].sort());
    expect(told.flows.added.length).toBeGreaterThan(10);
    const others = await rowsOf(tokyo.host);
    expect(newIn(others, elsewhere)).toEqual(
      [...listed(toldElsewhere, 'added'), ...listed(toldElsewhere, 'changed')].sort(),
    );

    const gone = [{ op: 'delete', kind: 'server', id: made.id }] as const;
    const end = await bottom.preview('paris-1', gone);
    bottom.publish(gone, at);
    await waitFor(() => bottom.status('paris-1', 'server', made.id) === 'gone', { what: 'foreseen to be gone' });
    const left = await rowsOf(paris.host);
    expect(newIn(left, before)).toEqual([]);
    const named = (row: string) => row.replaceAll(new RegExp(`(in_port=|output:)${ofport}\\b`, 'g'), `$1${device}`);
    const isFlow = (row: string) => row.startsWith('table=');
    expect(end.flows.removed.map(named).sort()).toEqual(newIn(after, left).filter(isFlow));
    bottom.publish(
      (['binding', 'port'] as const).map((kind) => ({ op: 'delete', kind, id: made.port })),
      at,
    );
    await bottom.settled();
  });

  it('keep the files, processes and secrets of the hypervisor from what runs in an instance', async () => {
    const said = async (script: string) => (await inside('web', 'sh', '-c', `${script} 2>&1`)).stdout;
    for (const path of [paris.state, lab.directory, ROOT, folder])
      expect(await said(`ls -d ${path}`)).toContain('No such file');
    const processes = (await said('ps -eo pid,args')).split('\n').filter((line) => line.trim() !== '');
    const own = /PID|weir|udhcpc|sleep|\bsh\b|ps |timeout|unshare/;
    expect(processes.filter((line) => !own.test(line))).toEqual([]);
    expect(await said('ls /proc | grep -c "^[0-9]"')).toMatch(/^\d\d?\n$/);
    expect(await said('env | cut -d= -f1 | sort | xargs')).toBe('HOME LANG OLDPWD PATH PWD TERM WEIR_EXEC\n');
    expect(await said('grep Cap /proc/self/status')).toMatch(
      /CapPrm:\t0000000000003000\nCapEff:\t0000000000003000\nCapBnd:\t0000000000003000/,
    );
    expect(await said('grep Cap /proc/1/status')).toMatch(/CapBnd:\t0000000000003000/);
    const forbidden = [
      'echo x > /proc/sys/kernel/core_pattern',
      'echo h > /proc/sysrq-trigger && grep -q . /proc/sysrq-trigger',
      'mount -t tmpfs x /tmp',
      'mount -o remount,rw /',
      'touch /etc/ld.so.preload',
      'touch /usr/bin/x',
      'rm /bin',
      'chroot / true',
      'mknod /tmp/d b 254 0',
      'hostname stolen',
      'nsenter -t 1 -m true',
    ];
    for (const script of forbidden)
      expect([script, await said(`(${script}) && echo DONE`)]).not.toEqual([script, expect.stringContaining('DONE')]);
  });

  it('let nothing out that is forged', async () => {
    const [web, db] = [get('web'), get('db')];
    const seen = await capture(
      db.netns,
      'eth0',
      ({ bytes, direction }) => direction === 'in' && bytes.includes('forged'),
    );
    const send = (source: Mac, ip: Ip, text: string) =>
      inject(web.netns, 'eth0', [
        Buffer.from(
          encodeFrame({
            ...{ destination: db.mac, source },
            payload: ipv4({ source: ip, destination: db.ip, payload: udp(1, 2, Buffer.from(text)) }),
          }),
        ),
      ]);
    await send(mac(99), web.ip, 'forged MAC');
    await send(web.mac, parseIp('10.1.1.99'), 'forged IP');
    await send(web.mac, web.ip, 'not forged');
    await seen.waitFor(({ bytes }) => bytes.includes('not forged'));
    expect((await seen.stop()).map(({ bytes }) => bytes.includes('not forged'))).toEqual([true]);
  });

  it('pass over malformed DHCP, and go on', async () => {
    const web = get('web');
    const frame = encodeFrame({
      ...{ destination: BROADCAST_MAC, source: web.mac },
      payload: ipv4({
        ...{ source: parseIp('0.0.0.0'), destination: parseIp('255.255.255.255') },
        payload: udp(68, 67, new Uint8Array([1, 1, 6, 0, 1])),
      }),
    });
    await inject(web.netns, 'eth0', [Buffer.from(frame)]);
    await waitFor(() => (bottom.metrics('paris-1')['punts'] as Record<string, number>)['malformed'] === 1, {
      what: 'the malformed message to be counted',
    });
    expect((await ping(web.netns, get('db').ip)).received).toBe(3);
  });

  it('wait for a database that is away, and make what was asked for when it is back', async () => {
    await lab.killOvsdbServer(tokyo.host);
    const patient = boot('patient', tokyo, green);
    await waitFor(() => tokyo.errors.some((line) => line.includes('cannot be used now')), { what: 'a complaint' });
    await lab.startOvsdbServer(tokyo.host);
    await active('patient');
    await leased('patient');
    expect((await ping(get('web').netns, patient.ip)).received).toBe(3);
    expect(await ovsVsctl(tokyo.host, ['get', 'bridge', 'br-int', 'fail_mode'])).toBe('secure\n');
  });

  it('delete a server without a trace, and nothing else', async () => {
    const before = await Promise.all([flowsOf(paris.host), flowsOf(tokyo.host)]);
    const ports = await Promise.all([ofportsOf(paris.host), ofportsOf(tokyo.host)]);
    const brief = boot('brief', paris, green);
    await active('brief');
    await leased('brief');
    await bottom.settled();
    expect((await ping(get('cache').netns, brief.ip)).received).toBe(3);

    bottom.publish([{ op: 'delete', kind: 'server', id: brief.id }], at);
    await waitFor(() => bottom.status('paris-1', 'server', brief.id) === 'gone', { what: 'brief to be gone' });
    expect(bottom.status('paris-1', 'port', brief.port)).toBe('gone');
    expect(existsSync(`/run/netns/${brief.netns}`)).toBe(false);
    const rest = ['binding', 'port'] as const;
    bottom.publish(
      rest.map((kind) => ({ op: 'delete', kind, id: brief.port })),
      at,
    );
    await bottom.settled();
    const after = await Promise.all([flowsOf(paris.host), flowsOf(tokyo.host)]);
    expect(after.map((flows) => [...flows.keys()].sort())).toEqual(before.map((flows) => [...flows.keys()].sort()));
    expect(await Promise.all([ofportsOf(paris.host), ofportsOf(tokyo.host)])).toEqual(ports);
    const links = (await run('ip', ['-n', paris.host.netns, 'link'])).stdout;
    expect(links).not.toContain(deviceOf(brief.port));
  });

  it('come back from a kill with changes pending, and lose no packet', async () => {
    const names = ['web', 'db', 'cache'];
    const kept = async () => ({
      ofports: (await ofportsOf(tokyo.host)).filter((line) =>
        names.some((name) => line.startsWith(deviceOf(get(name).port))),
      ),
      inodes: names.map((name) => inode(get(name).netns)),
      clients: (await inside('db', 'pgrep', '-x', 'busybox')).stdout,
    });
    const before = { flows: await flowsOf(tokyo.host), ...(await kept()) };
    const end = (name: string) => ({ netns: get(name).netns, address: get(name).ip });
    const probes = await Promise.all([
      startUdpProbe({ from: end('db'), to: end('cache') }),
      startUdpProbe({ from: end('web'), to: end('db') }),
      startUdpProbe({ from: end('web'), to: end('cache') }),
    ]);
    await tokyo.end('SIGKILL');
    boot('late', tokyo, blue);
    tokyo.start();
    await active('late');
    await bottom.settled();
    await leased('late');
    expect((await ping(get('web').netns, get('late').ip)).received).toBe(3);
    for (const probe of probes) expect((await probe.stop()).missing).toEqual([]);

    const flows = await flowsOf(tokyo.host);
    const renewed = [...before.flows].filter(([flow, duration]) => (flows.get(flow) ?? -1) < duration);
    expect(renewed).toEqual([]);
    expect(await kept()).toEqual({ ofports: before.ofports, inodes: before.inodes, clients: before.clients });
  });

  it('stop cleanly, and change nothing when nothing differs', async () => {
    // A stop that takes 2 s is none.
    expect(await paris.end('SIGTERM')).toBe(0);
    bottom.seen.clear();
    paris.start();
    await active('web');
    await bottom.settled(bottom.publish([], at));
    await waitFor(() => bottom.seen.has('paris-1 metrics paris-1'), { what: 'counters' });
    expect(bottom.metrics('paris-1')).toMatchObject({ bundles: 0, flowsAdded: 0, flowsModified: 0, flowsRemoved: 0 });
    expect((await ping(get('web').netns, get('cache').ip)).received).toBe(3);
  });

  it('load everything again when the switch was restarted', async () => {
    const before = [...(await flowsOf(tokyo.host)).keys()].sort();
    await lab.killVswitchd(tokyo.host);
    await lab.startVswitchd(tokyo.host);
    await waitFor(async () => (await ping(get('web').netns, get('cache').ip, { count: 1 })).received === 1, {
      what: 'an answer',
      deadlineMs: DEADLINE_MS,
    });
    expect([...(await flowsOf(tokyo.host)).keys()].sort()).toEqual(before);
  });
});
