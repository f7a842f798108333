import { readFileSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { unavailable } from '@weir/kernel';
import type { LabHost } from './host';
import { ovsAppctl, ovsVsctl } from './ovs';
import type { PlannedHost, PlannedSite } from './plan';
import { endProcess, identify, isRunning, type ProcessIdentity } from './processes';
import type { LabRecord } from './record';
import { run } from './run';

type Daemon = 'ovsdb-server' | 'ovs-vswitchd';

/** One host's own ovsdb-server and ovs-vswitchd, and `br-phy`, which carries its address in the underlay. */
export class HostSwitch {
  private readonly daemons = new Map<Daemon, ProcessIdentity>();

  constructor(
    readonly host: LabHost,
    private readonly planned: PlannedHost,
    private readonly site: PlannedSite,
    private readonly record: LabRecord,
  ) {}

  /** For the first time, from a copy of an empty database. */
  async create(emptyDatabase: string): Promise<void> {
    await copyFile(emptyDatabase, this.path('conf.db'));
    await this.startOvsdbServer();
    const bridge = [
      'add-br',
      'br-phy',
      '--',
      'set',
      'bridge',
      'br-phy',
      'datapath_type=netdev',
      'fail_mode=standalone',
    ];
    const address = [`other-config:hwaddr="${this.planned.mac}"`, '--', 'add-port', 'br-phy', 'eth0'];
    await ovsVsctl(this.host, ['--no-wait', 'init', '--', ...bridge, ...address]);
    await this.startVswitchd();
  }

  async startOvsdbServer(): Promise<void> {
    await this.start('ovsdb-server', [this.path('conf.db'), `--remote=punix:${this.host.ovsdb}`], 'ovsdb-server.ctl');
  }

  /** Resolves when the configured bridges exist and the underlay works again. */
  async startVswitchd(): Promise<void> {
    // Routes of the kernel are reloaded at every link event of the host, and tunnels drop packets meanwhile: it is told its routes.
    const options = ['--disable-system', '--disable-system-route'];
    await this.start('ovs-vswitchd', [...options, `unix:${this.host.ovsdb}`], 'vswitchd.ctl');
    await this.restoreUnderlay();
  }

  async kill(daemon: Daemon, signal: NodeJS.Signals): Promise<void> {
    const process = this.daemons.get(daemon);
    if (process === undefined) return;
    await endProcess(process, signal);
    this.daemons.delete(daemon);
    this.record.removeProcess(process.pid);
  }

  runs(daemon: Daemon): boolean {
    const process = this.daemons.get(daemon);
    return process !== undefined && isRunning(process);
  }

  /**
   * Gives `br-phy` its address and default route back and sets the neighbours of tunnels. Without them the first packet to
   * a peer waits for the underlay's ARP, and an end that has only heard a request loses it. Idempotent.
   */
  async restoreUnderlay(): Promise<void> {
    const commands = [
      `addr replace ${this.host.underlay}/${this.site.prefix} dev br-phy`,
      'link set br-phy up',
      `route replace default via ${this.site.gateway}`,
      '',
    ];
    await run('ip', ['-n', this.host.netns, '-batch', '-'], { input: commands.join('\n') });
    const { subnet, gateway } = this.site;
    await ovsAppctl(this.host, ['ovs/route/add', subnet, 'br-phy']);
    await ovsAppctl(this.host, ['ovs/route/add', '0.0.0.0/0', 'br-phy', gateway]);
    const neighbours: [string, string][] = this.site.hosts
      .filter((other) => other.name !== this.host.name)
      .map((other) => [other.underlay, other.mac]);
    neighbours.push([this.site.gateway, this.site.gatewayMac]);
    await Promise.all(neighbours.map((pair) => ovsAppctl(this.host, ['tnl/neigh/set', 'br-phy', ...pair])));
  }

  private async start(daemon: Daemon, args: readonly string[], control: string): Promise<void> {
    if (this.runs(daemon)) return;
    const pidfile = this.path(`${daemon}.pid`);
    const common = [
      '-vconsole:off',
      '--detach',
      `--pidfile=${pidfile}`,
      `--log-file=${this.path(`${daemon}.log`)}`,
      `--unixctl=${this.path(control)}`,
    ];
    const { rundir, netns } = this.host;
    const env = { OVS_RUNDIR: rundir, OVS_LOGDIR: rundir, OVS_DBDIR: rundir };
    await run(daemon, [...common, ...args], { netns, env });
    const process = identify(Number(readFileSync(pidfile, 'utf8')));
    if (process === undefined)
      throw unavailable(`${daemon} of ${this.host.name} ended at once; see its log in ${rundir}.`);
    const before = this.daemons.get(daemon);
    if (before !== undefined) this.record.removeProcess(before.pid);
    this.daemons.set(daemon, process);
    this.record.addProcess(process);
  }

  private path(name: string): string {
    return join(this.host.rundir, name);
  }
}
