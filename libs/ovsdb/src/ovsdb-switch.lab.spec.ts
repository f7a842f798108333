import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { silentLogger, systemClock, systemRandom, systemTimers, type Timers } from '@weir/kernel';
import { waitFor } from '@weir/lab';
import { VirtualTime } from '@weir/testing/time';
import { describeSwitchDatabase } from './contract';
import { BridgeNotOurs, OvsdbClosed, OvsdbSwitchDatabase, type SwitchPort, SwitchSilent } from './index';

jest.setTimeout(60_000);

const run = promisify(execFile);
const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';
const DEADLINE_MS = 15_000;
let worlds = 0;

const eventually = (holds: () => unknown): Promise<unknown> =>
  waitFor(holds, { what: holds.toString(), deadlineMs: DEADLINE_MS });

/** A real ovsdb-server and ovs-vswitchd in a namespace and a folder of their own. */
class RealSwitch {
  private server: ChildProcess | undefined;
  private daemon: ChildProcess | undefined;

  private constructor(
    private readonly namespace: string,
    private readonly folder: string,
  ) {}

  static async start(): Promise<RealSwitch> {
    const folder = await mkdtemp(join(tmpdir(), 'weir-ovsdb-'));
    const real = new RealSwitch(`weir-ovsdb-${process.pid}-${++worlds}`, folder);
    try {
      await run('ip', ['netns', 'add', real.namespace]);
      await run('ip', ['-n', real.namespace, 'link', 'set', 'lo', 'up']);
      await run('ovsdb-tool', ['create', join(folder, 'conf.db'), SCHEMA]);
      await real.startServer();
      await real.vsctl('--no-wait', 'init');
      real.startDaemon();
      return real;
    } catch (error) {
      await real.stop();
      throw error;
    }
  }

  get socket(): string {
    return join(this.folder, 'db.sock');
  }

  async startServer(): Promise<void> {
    this.server = this.inNamespace('ovsdb-server', [
      join(this.folder, 'conf.db'),
      `--remote=punix:${this.socket}`,
      `--unixctl=${join(this.folder, 'ovsdb.ctl')}`,
    ]);
    await eventually(() => this.vsctl('--no-wait', '--timeout=1', 'show'));
  }

  async killServer(): Promise<void> {
    await end(this.server, 'SIGKILL');
    await rm(this.socket, { force: true });
  }

  async addDevice(name: string): Promise<void> {
    await run('ip', ['-n', this.namespace, 'link', 'add', name, 'type', 'veth', 'peer', 'name', `${name}p`]);
  }

  async killDaemon(): Promise<void> {
    await end(this.daemon, 'SIGKILL');
  }

  startDaemon(): void {
    this.daemon = this.inNamespace('ovs-vswitchd', [
      `unix:${this.socket}`,
      `--unixctl=${join(this.folder, 'vswitchd.ctl')}`,
    ]);
  }

  async vsctl(...words: string[]): Promise<string> {
    const { stdout } = await run('ovs-vsctl', [`--db=unix:${this.socket}`, '--timeout=10', ...words]);
    return stdout.trim();
  }

  async stop(): Promise<void> {
    await end(this.daemon, 'SIGTERM');
    await end(this.server, 'SIGTERM');
    await run('ip', ['netns', 'del', this.namespace]).catch(() => undefined);
    await rm(this.folder, { recursive: true, force: true });
  }

  get managementSocket(): string {
    return join(this.folder, 'br-int.mgmt');
  }

  private inNamespace(program: string, args: readonly string[]): ChildProcess {
    // `ip netns exec` replaces itself by the program, so that the child's pid is the program's.
    return spawn('ip', ['netns', 'exec', this.namespace, program, ...args, '--no-chdir', '-vconsole:off'], {
      stdio: 'ignore',
      env: { ...process.env, OVS_RUNDIR: this.folder, OVS_LOGDIR: this.folder, OVS_DBDIR: this.folder },
    });
  }
}

async function end(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  await gone;
}

function openDatabase(real: RealSwitch, owner = 'paris-1', timers: Timers = systemTimers): OvsdbSwitchDatabase {
  return new OvsdbSwitchDatabase({
    path: real.socket,
    owner,
    logger: silentLogger,
    clock: systemClock,
    timers,
    random: systemRandom,
  });
}

describeSwitchDatabase('a real Open vSwitch', async () => {
  const real = await RealSwitch.start();
  const database = openDatabase(real);
  await database.synced();
  return {
    database,
    addDevice: (name) => real.addDevice(name),
    addForeignBridge: async (name) => {
      await real.vsctl('add-br', name, '--', 'set', 'bridge', name, 'datapath_type=netdev');
    },
    addForeignPort: async (bridge, name) => {
      await real.vsctl('add-port', bridge, name);
    },
    close: async () => {
      database.close();
      await real.stop();
    },
  };
});

describe('a Host on a real Open vSwitch', () => {
  const BRIDGE = { name: 'br-int', datapathType: 'netdev', failMode: 'secure', externalIds: {} } as const;
  const TUNNEL = {
    bridge: 'br-int',
    name: 'weir-vxlan',
    type: 'vxlan',
    options: { remote_ip: 'flow', key: 'flow' },
    externalIds: {},
  } as const;

  let real: RealSwitch;
  let database: OvsdbSwitchDatabase;

  beforeEach(async () => {
    real = await RealSwitch.start();
    database = openDatabase(real);
    await database.synced();
  });
  afterEach(async () => {
    database.close();
    await real.stop();
  });

  it('has a bridge that is secure, without a controller, and answers on its management socket', async () => {
    await database.ensureBridge({ ...BRIDGE, externalIds: { site: 'paris' } });
    const columns = ['fail_mode', 'datapath_type', 'controller', 'external_ids'];
    const values = await Promise.all(columns.map((column) => real.vsctl('get', 'bridge', 'br-int', column)));
    expect(values).toEqual(['secure', 'netdev', '[]', '{site=paris, weir-owner=paris-1}']);
    expect((await stat(real.managementSocket)).isSocket()).toBe(true);
  });

  it('keeps its bridge as it wants it', async () => {
    await database.ensureBridge(BRIDGE);
    await real.vsctl('set', 'bridge', 'br-int', 'fail_mode=standalone');
    await eventually(async () => {
      await database.ensureBridge(BRIDGE);
      return (await real.vsctl('get', 'bridge', 'br-int', 'fail_mode')) === 'secure';
    });
  });

  it("does not touch another owner's bridge", async () => {
    await real.vsctl('add-br', 'br-int', '--', 'set', 'bridge', 'br-int', 'datapath_type=netdev', 'external_ids:a=b');
    const before = await real.vsctl('list', 'bridge', 'br-int');
    await expect(database.ensureBridge(BRIDGE)).rejects.toThrow(BridgeNotOurs);
    await expect(database.ensurePort(TUNNEL)).rejects.toThrow(BridgeNotOurs);
    const other = openDatabase(real, 'tokyo-1');
    await other.synced();
    await expect(other.ensureBridge(BRIDGE)).rejects.toThrow(BridgeNotOurs);
    other.close();
    await expect(real.vsctl('list', 'bridge', 'br-int')).resolves.toBe(before);
  });

  it('sees an interface that somebody else changes', async () => {
    await database.ensureBridge(BRIDGE);
    await database.ensurePort(TUNNEL);
    await real.vsctl('set', 'interface', 'weir-vxlan', 'external_ids:hello=world');
    await eventually(() => database.ports()[0]?.externalIds['hello'] === 'world');
    await database.ensurePort(TUNNEL);
    await expect(real.vsctl('get', 'interface', 'weir-vxlan', 'external_ids')).resolves.toBe('{weir-owner=paris-1}');
  });

  it('ends a flow-restore-wait that a dead agent left', async () => {
    await real.vsctl(
      '--no-wait',
      'set',
      'Open_vSwitch',
      '.',
      'other_config:flow-restore-wait=true',
      'other_config:a=b',
    );
    await eventually(async () => {
      await database.clearFlowRestoreWait();
      return (await real.vsctl('get', 'Open_vSwitch', '.', 'other_config')) === '{a=b}';
    });
  });

  it('finds everything as it was after ovsdb-server is killed three times, and is told of no change', async () => {
    await database.ensureBridge(BRIDGE);
    await real.addDevice('w0000000001');
    await database.ensurePort({ bridge: 'br-int', name: 'w0000000001', externalIds: { 'iface-id': 'a' } });
    await database.ensurePort(TUNNEL);
    const ports = database.ports();
    const rows = await real.vsctl('--columns=_uuid,name,ofport', 'list', 'interface');
    const told: (readonly SwitchPort[])[] = [];
    database.onPortsChanged((changed) => told.push(changed));

    for (let kill = 0; kill < 3; kill++) {
      await real.killServer();
      await eventually(() => !database.connected);
      expect(database.ports()).toEqual(ports);
      await expect(database.ensurePort(TUNNEL)).rejects.toMatchObject({ reason: 'unavailable' });
      await real.startServer();
      await database.synced();
      await expect(database.ensurePort(TUNNEL)).resolves.toBe(ports.find(({ name }) => name === 'weir-vxlan')?.ofport);
    }
    expect(told).toEqual([]);
    expect(database.ports()).toEqual(ports);
    await expect(real.vsctl('--columns=_uuid,name,ofport', 'list', 'interface')).resolves.toBe(rows);
  });

  it('is told, after ovsdb-server was away, of what changed meanwhile', async () => {
    await database.ensureBridge(BRIDGE);
    const keptOfport = await database.ensurePort({ ...TUNNEL, name: 'kept' });
    await database.ensurePort({ ...TUNNEL, name: 'removed', options: { remote_ip: '192.0.2.1', key: '7' } });
    const told: (readonly SwitchPort[])[] = [];
    await real.killServer();
    await eventually(() => !database.connected);
    database.onPortsChanged((changed) => told.push(changed));
    await real.startServer();
    // The session may be back before or after this; either way only what differs is told.
    await real.vsctl('del-port', 'br-int', 'removed');
    await eventually(() => told.some((changed) => changed.length === 1));
    expect(told.at(-1)).toMatchObject([{ name: 'kept', ofport: keptOfport }]);
  });

  it('says that the switch is silent while ovs-vswitchd is away, and finds its work done when it is back', async () => {
    await database.ensureBridge(BRIDGE);
    const ofport = await database.ensurePort(TUNNEL);
    await real.killDaemon();
    const time = new VirtualTime();
    const impatient = openDatabase(real, 'paris-1', time);
    await impatient.synced();
    const second = { ...TUNNEL, name: 'second', options: { remote_ip: '192.0.2.1', key: '7' } };
    let outcome: unknown;
    impatient.ensurePort(second).catch((error: unknown) => (outcome = error));
    await eventually(() => impatient.ports().length === 2);
    await eventually(async () => {
      await time.advance(1_000);
      return outcome;
    });
    expect(outcome).toBeInstanceOf(SwitchSilent);
    expect((outcome as Error).message).toBe('Open vSwitch has not taken port second within 10 s.');
    impatient.close();

    real.startDaemon();
    await expect(database.ensurePort(second)).resolves.not.toBe(ofport);
    await expect(database.ensurePort(TUNNEL)).resolves.toBe(ofport);
  });

  it('keeps the numbers of its ports when ovs-vswitchd restarts and others added ports meanwhile', async () => {
    await database.ensureBridge(BRIDGE);
    const tunnel = (i: number) => ({ ...TUNNEL, name: `t${i}`, options: { remote_ip: `192.0.2.${i}`, key: '7' } });
    for (let i = 1; i <= 6; i++) await database.ensurePort(tunnel(i));
    const numbers = () => database.ports().flatMap(({ owned, name, ofport }) => (owned ? [[name, ofport]] : []));
    const before = numbers();
    await real.killDaemon();
    for (let i = 1; i <= 6; i++) {
      const vxlan = ['type=vxlan', `options:remote_ip=192.0.2.${i}`, 'options:key=8'];
      await real.vsctl(
        '--no-wait',
        'add-port',
        'br-int',
        `theirs${i}`,
        '--',
        'set',
        'interface',
        `theirs${i}`,
        ...vxlan,
      );
    }
    real.startDaemon();
    await eventually(
      () => database.ports().every(({ ofport }) => ofport !== undefined) && database.ports().length === 12,
    );
    expect(numbers()).toEqual(before);
  });

  it('rejects who waits for the switch when it is closed', async () => {
    await database.ensureBridge(BRIDGE);
    await real.killDaemon();
    const waiting = database.ensurePort(TUNNEL);
    await eventually(() => database.ports().length === 1);
    database.close();
    await expect(waiting).rejects.toThrow(OvsdbClosed);
  });
});
