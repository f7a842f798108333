import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { conflict, forbidden, type Logger, type Timers, WeirError } from '@weir/kernel';
import {
  capture,
  createLab,
  destroyLeftovers,
  inject,
  type Lab,
  ping,
  type PingOptions,
  type PingReport,
  startUdpProbe,
  type UdpProbe,
} from '@weir/lab';
import { type Deployment, type Instance, parisAndTokyo, type SiteStatus, startDeployment } from '@weir/lab/deployment';
import { keepWritten, LAB_FILE, LabFile } from './lab-file';
import type { Stage } from './stage';
import { type SwitchState, switchStates } from './switches';

export interface LabStageOptions {
  /** `.weir/demo` of the clone. */
  readonly directory: string;
  readonly timers: Timers;
  readonly logger: Logger;
}

/** Logs stay; the rest is there only where somebody has removed the record of a crashed demo. */
const OF_EARLIER_DEMOS = ['logs', 'state', 'clouds.yaml', LAB_FILE];
const TRAFFIC_MS = 4_000;
/** Ctrl-C reaches the tools that clean up, too; what they did not end is ended by the next try. */
const CLOSE_TRIES = 3;
const APPS = join(__dirname, '..', '..');
const programs = {
  top: join(APPS, 'top', 'dist', 'main.js'),
  bottom: join(APPS, 'bottom', 'dist', 'main.js'),
  host: join(APPS, 'host', 'dist', 'main.js'),
};

/** Hosts with Open vSwitch in namespaces, and Weir as processes. */
export class LabStage implements Stage {
  readonly trafficMs = TRAFFIC_MS;
  private building: Promise<Lab> | undefined;
  private built: Lab | undefined;
  private starting: Promise<Deployment> | undefined;
  private deployed: Deployment | undefined;
  private closing = false;
  private readonly labFile: LabFile;

  constructor(private readonly options: LabStageOptions) {
    this.labFile = new LabFile(options.directory);
  }

  get isClosing(): boolean {
    return this.closing;
  }

  get hosts(): Lab['hosts'] {
    return this.lab.hosts;
  }

  get weir(): Deployment {
    if (this.deployed === undefined) throw conflict('Weir does not run.');
    return this.deployed;
  }

  async clear(): Promise<void> {
    if (process.getuid?.() !== 0) throw forbidden('The demo makes network namespaces: run it as root.');
    await destroyLeftovers(this.options.directory).catch((cause: unknown) => {
      if (!(cause instanceof WeirError) || cause.reason !== 'conflict') throw cause;
      throw conflict('A demo runs in this folder already; end it with Ctrl-C first', { cause });
    });
    for (const name of OF_EARLIER_DEMOS) rmSync(join(this.options.directory, name), { recursive: true, force: true });
  }

  async buildHosts(): Promise<string> {
    this.refuseWhileClosing();
    this.building = createLab({ directory: this.options.directory, logger: this.options.logger });
    this.built = await this.building;
    this.built.own(this.labFile.path);
    const { id, hosts } = this.built;
    return `${hosts.length} hosts with Open vSwitch in 2 sites (namespaces weir-${id}-…)`;
  }

  async startTop(): Promise<void> {
    this.refuseWhileClosing();
    const { directory, logger } = this.options;
    this.starting = startDeployment({ programs, directory, lab: this.lab, logger });
    this.deployed = await this.starting;
    await this.writeLabFile();
  }

  async addSites(): Promise<readonly SiteStatus[]> {
    return Promise.all(parisAndTokyo().map((site) => this.weir.addSite(site)));
  }

  follow(): Promise<void> {
    return keepWritten(this, this.options);
  }

  async writeLabFile(): Promise<void> {
    const { lab, weir } = this;
    const instances = await weir.tenant.instances();
    if (this.closing) return;
    this.labFile.write({
      api: weir.api,
      hosts: lab.hosts.map(({ name, site, netns, bridge, ovsdb, openflow, underlay }) => ({
        name,
        site,
        netns,
        bridge,
        ovsdb,
        openflow,
        underlay,
      })),
      instances: instances.map(({ server, port, host, netns, interface: name }) => ({
        server,
        port,
        host,
        netns,
        interface: name,
      })),
    });
  }

  async close(): Promise<void> {
    this.closing = true;
    // What is being built is known when it is there; what could not be built has cleaned up itself.
    const lab = await this.building?.catch(() => undefined);
    const weir = await this.starting?.catch(() => undefined);
    for (let tries = 1; ; tries++) {
      try {
        await weir?.stop();
        await lab?.destroy();
        return;
      } catch (error) {
        if (tries === CLOSE_TRIES) throw error;
        this.options.logger.warn('Cleaning up again', { error: String(error) });
      }
    }
  }

  switchStates(): Promise<readonly SwitchState[]> {
    return switchStates(this.hosts);
  }

  isPresent({ netns }: Instance): boolean {
    return existsSync(`/run/netns/${netns}`);
  }

  ping({ netns }: Instance, address: string, options: PingOptions): Promise<PingReport> {
    return ping(netns, address, options);
  }

  inject(from: Instance, frames: readonly Uint8Array[]): Promise<void> {
    return inject(
      from.netns,
      from.interface,
      frames.map((frame) => Buffer.from(frame)),
    );
  }

  capture(at: Instance): ReturnType<Stage['capture']> {
    return capture(at.netns, at.interface, ({ direction }) => direction === 'in');
  }

  probe(from: Instance, to: Instance): Promise<UdpProbe> {
    const end = ({ netns, ip: address }: Instance) => ({ netns, address });
    return startUdpProbe({ from: end(from), to: end(to) });
  }

  private get lab(): Lab {
    if (this.built === undefined) throw conflict('There is no lab.');
    return this.built;
  }

  private refuseWhileClosing(): void {
    if (this.closing) throw conflict('The demo ends.');
  }
}
