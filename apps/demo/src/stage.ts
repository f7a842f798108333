import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { conflict, forbidden, type Logger, type Timers, WeirError } from '@weir/kernel';
import { createLab, destroyLeftovers, type Lab } from '@weir/lab';
import { type Deployment, parisAndTokyo, type SiteStatus, startDeployment } from '@weir/lab/deployment';

export interface StageOptions {
  /** `.weir/demo` of the clone. */
  readonly directory: string;
  readonly timers: Timers;
  readonly logger: Logger;
}

const LAB_FILE = 'lab.json';
/** Logs stay; the rest is there only where somebody has removed the record of a crashed demo. */
const OF_EARLIER_DEMOS = ['logs', 'state', 'clouds.yaml', LAB_FILE];
const FOLLOW_EVERY_MS = 1_000;
/** Ctrl-C reaches the tools that clean up, too; what they did not end is ended by the next try. */
const CLOSE_TRIES = 3;
const APPS = join(__dirname, '..', '..');
const programs = {
  top: join(APPS, 'top', 'dist', 'main.js'),
  bottom: join(APPS, 'bottom', 'dist', 'main.js'),
  host: join(APPS, 'host', 'dist', 'main.js'),
};

/** What the story is played on: the lab and Weir's processes, and the files that tell others of them. */
export class Stage {
  private building: Promise<Lab> | undefined;
  private built: Lab | undefined;
  private starting: Promise<Deployment> | undefined;
  private deployed: Deployment | undefined;
  private closing = false;
  private written = '';

  constructor(private readonly options: StageOptions) {}

  get isClosing(): boolean {
    return this.closing;
  }

  get lab(): Lab {
    if (this.built === undefined) throw conflict('There is no lab.');
    return this.built;
  }

  get weir(): Deployment {
    if (this.deployed === undefined) throw conflict('Weir does not run.');
    return this.deployed;
  }

  /** Removes what a crashed demo left; rejects with `conflict` while one runs in this folder. */
  async clear(): Promise<void> {
    if (process.getuid?.() !== 0) throw forbidden('The demo makes network namespaces: run it as root.');
    await destroyLeftovers(this.options.directory).catch((cause: unknown) => {
      if (!(cause instanceof WeirError) || cause.reason !== 'conflict') throw cause;
      throw conflict('A demo runs in this folder already; end it with Ctrl-C first', { cause });
    });
    for (const name of OF_EARLIER_DEMOS) rmSync(join(this.options.directory, name), { recursive: true, force: true });
  }

  async buildLab(): Promise<void> {
    this.refuseWhileClosing();
    this.building = createLab({ directory: this.options.directory, logger: this.options.logger });
    this.built = await this.building;
    this.built.own(this.labFile);
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

  /** Tells tools of the hosts and instances (`lab.json`), whoever made them, until the stage is closed. */
  async follow(): Promise<void> {
    while (!this.closing) {
      await this.writeLabFile().catch((error: unknown) => {
        this.options.logger.warn('lab.json could not be written', { error: String(error) });
      });
      await this.options.timers.sleep(FOLLOW_EVERY_MS);
    }
  }

  async writeLabFile(): Promise<void> {
    const { lab, weir } = this;
    const instances = await weir.tenant.instances();
    const content = {
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
    };
    const text = `${JSON.stringify(content, null, 2)}\n`;
    if (this.closing || (text === this.written && existsSync(this.labFile))) return;
    writeFileSync(`${this.labFile}.new`, text);
    renameSync(`${this.labFile}.new`, this.labFile);
    this.written = text;
  }

  /** Ends and removes all but the logs. */
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

  private get labFile(): string {
    return join(this.options.directory, LAB_FILE);
  }

  private refuseWhileClosing(): void {
    if (this.closing) throw conflict('The demo ends.');
  }
}
