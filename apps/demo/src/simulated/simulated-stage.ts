import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { conflict, parseIp, type PortId, type ServerId, WeirError } from '@weir/kernel';
import {
  type CapturedFrame,
  type Claim,
  claimFolder,
  type PingOptions,
  type PingReport,
  planLab,
  type UdpProbe,
  twoSites,
  waitFor,
} from '@weir/lab';
import { type Instance, parisAndTokyo, type SiteStatus } from '@weir/lab/deployment';
import { formatFlow } from '@weir/openflow';
import type { SimulatedGuest } from '@weir/site-drivers/simulated';
import { keepWritten, LabFile } from '../lab-file';
import type { Stage } from '../stage';
import type { SwitchState } from '../switches';
import { SimulatedWeir } from './simulated-weir';
import type { System } from './system';
import { startProbe } from './udp-probe';

export interface SimulatedStageOptions extends System {
  /** `.weir/demo` of the clone. */
  readonly directory: string;
}

/** Restarts are calls here. */
const TRAFFIC_MS = 1_000;
const PING_DEFAULTS = { count: 3, intervalMs: 100, timeoutMs: 1_000 };

/** Everything in this process: simulated hosts, whose switches run the compiled flows on every frame, and Weir's levels. */
export class SimulatedStage implements Stage {
  readonly trafficMs = TRAFFIC_MS;
  readonly hosts = planLab('simulated', twoSites()).sites.flatMap((site) => site.hosts);
  private readonly labFile: LabFile;
  private claim: Claim | undefined;
  private starting: Promise<SimulatedWeir> | undefined;
  private started: SimulatedWeir | undefined;
  private closing = false;

  constructor(private readonly options: SimulatedStageOptions) {
    this.labFile = new LabFile(options.directory);
  }

  get isClosing(): boolean {
    return this.closing;
  }

  get weir(): SimulatedWeir {
    if (this.started === undefined) throw conflict('Weir does not run.');
    return this.started;
  }

  async clear(): Promise<void> {
    const { directory } = this.options;
    this.claim = await claimFolder(directory).catch((cause: unknown) => {
      if (!(cause instanceof WeirError) || cause.reason !== 'conflict') throw cause;
      throw conflict('A demo runs in this folder already; end it with Ctrl-C first', { cause });
    });
    for (const name of ['state', 'clouds.yaml']) this.claim.record.addFolder(join(directory, name));
    this.claim.record.addFolder(this.labFile.path);
    for (const path of [...this.claim.record.state.folders, join(directory, 'logs')])
      rmSync(path, { recursive: true, force: true });
  }

  buildHosts(): Promise<string> {
    return Promise.resolve(`${this.hosts.length} simulated hosts in 2 sites, in this process`);
  }

  async startTop(): Promise<void> {
    if (this.closing) throw conflict('The demo ends.');
    const { directory, clock, timers, random } = this.options;
    this.starting = SimulatedWeir.start({ directory, hosts: this.hosts, clock, timers, random });
    this.started = await this.starting;
    await this.writeLabFile();
  }

  addSites(): Promise<readonly SiteStatus[]> {
    return Promise.all(parisAndTokyo().map((site) => this.weir.addSite(site)));
  }

  async writeLabFile(): Promise<void> {
    const { weir, hosts } = this;
    const instances = await weir.tenant.instances();
    if (this.closing) return;
    this.labFile.write({
      api: weir.api,
      hosts: hosts.map(({ name, site, underlay }) => ({ name, site, underlay })),
      instances: instances.map(({ server, port, host, interface: name }) => ({ server, port, host, interface: name })),
    });
  }

  follow(): Promise<void> {
    return keepWritten(this, this.options);
  }

  async close(): Promise<void> {
    this.closing = true;
    const weir = await this.starting?.catch(() => undefined);
    await weir?.stop();
    await this.claim?.release();
  }

  switchStates(): Promise<readonly SwitchState[]> {
    const states = this.hosts.map(({ name }) => {
      const { database, guests } = this.weir.host(name);
      const flows = new Set(guests.host.switch.flows.map(({ flow }) => formatFlow(flow)));
      return { host: name, flows, ports: new Set(database.ports().map((port) => port.name)) };
    });
    return Promise.resolve(states);
  }

  isPresent({ host, server }: Instance): boolean {
    return this.weir.host(host).guests.host.instances.get(server as ServerId) !== undefined;
  }

  ping(from: Instance, address: string, options: PingOptions): Promise<PingReport> {
    return this.guest(from).ping(parseIp(address), { ...PING_DEFAULTS, ...options });
  }

  inject({ host, port }: Instance, frames: readonly Uint8Array[]): Promise<void> {
    for (const frame of frames) this.weir.host(host).guests.host.send(port as PortId, frame);
    return Promise.resolve();
  }

  capture(at: Instance): ReturnType<Stage['capture']> {
    const { clock } = this.options;
    const frames: CapturedFrame[] = [];
    const cancel = this.guest(at).tap(at.port as PortId, (bytes) => {
      frames.push({ direction: 'in', at: clock.now(), bytes: Buffer.from(bytes) });
    });
    return Promise.resolve({
      waitFor: (predicate, { what = 'a matching frame', ...within } = {}) =>
        waitFor(() => frames.find(predicate), { what, ...within }),
      stop: () => {
        cancel();
        return Promise.resolve(frames);
      },
    });
  }

  probe(from: Instance, to: Instance): Promise<UdpProbe> {
    const end = (instance: Instance) => ({ guest: this.guest(instance), ip: parseIp(instance.ip) });
    return Promise.resolve(startProbe(end(from), end(to), this.options));
  }

  private guest({ host, server }: Instance): SimulatedGuest {
    return this.weir.host(host).guests.guest(server as ServerId);
  }
}
