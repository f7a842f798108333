import { existsSync, readFileSync, statSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import { conflict, type Logger, notFound, silentLogger } from '@weir/kernel';
import type { Lab } from '../lab';
import { identify } from '../processes';
import { LabRecord } from '../record';
import { destroyLeftovers, tearDown } from '../tear-down';
import { waitFor } from '../wait-for';
import { ApiClient, type Method } from './api-client';
import { DeployedProcess } from './deployed-process';
import { parseMetrics, type Sample } from './metrics';
import { Tenant, type Wait } from './tenant';

/** Paths of the built `main.js` of each app. */
export interface Programs {
  readonly top: string;
  readonly bottom: string;
  readonly host: string;
}

export interface DeployedSite {
  readonly name: string;
  readonly dataCenter: string;
  /** Names of lab hosts, by zone. */
  readonly zones: Readonly<Record<string, readonly string[]>>;
}

export interface DeploymentOptions {
  readonly programs: Programs;
  /** For `state/`, `logs/` and, unless said otherwise, `clouds.yaml`. Whatever but the logs goes when it stops. */
  readonly directory: string;
  /** Hosts run on it, and what a crash leaves goes with it. Without a lab there are a Top and Bottoms alone. */
  readonly lab?: Lab;
  /** Added at the start; others may follow by `addSite`. */
  readonly sites?: readonly DeployedSite[];
  /** Of the API; 9770 or the next free one unless said. */
  readonly port?: number;
  readonly logger?: Logger;
}

export interface SiteStatus {
  readonly id: string;
  readonly name: string;
  readonly lifecycle: string;
  readonly reachability: string;
  readonly reachability_since: string;
  readonly stored: number | null;
  readonly settled: number | null;
  readonly published: number;
  readonly capacity: readonly {
    readonly zone: string;
    readonly total: { readonly vcpus: number };
    readonly taken: { readonly vcpus: number };
  }[];
}

/** What is made goes with it: the lab, or a record of its own. */
interface Owner {
  track(pid: number): void;
  own(path: string): void;
}

/** What DESIGN gives each host of the lab. */
const HOST_TOTALS = { vcpus: 8, ramMb: 16_384, diskGb: 100 };
const UNDERLAY_MTU = 1_500;
/** Each poll is a request or two, on a machine that has other work. */
const POLL_MS = 50;
const START_DEADLINE_MS = 20_000;
const SETTLE_DEADLINE_MS = 20_000;

/** Paris with two zones, Tokyo with one of two hosts, for the lab of `twoSites()`. */
export function parisAndTokyo(): readonly DeployedSite[] {
  return [
    { name: 'paris', dataCenter: 'Paris', zones: { 'paris-a': ['paris-1'], 'paris-b': ['paris-2'] } },
    { name: 'tokyo', dataCenter: 'Tokyo', zones: { 'tokyo-a': ['tokyo-1', 'tokyo-2'] } },
  ];
}

/**
 * Starts a Top and the sites' Bottoms and Hosts as processes of their own; resolves when the sites have joined with all their
 * hosts. Cleans up what a crashed one in the same folder left; leaves no process when it rejects.
 */
export async function startDeployment(options: DeploymentOptions): Promise<Deployment> {
  const directory = resolve(options.directory);
  const record = options.lab === undefined ? await ownRecord(directory) : undefined;
  const owner = options.lab ?? ownerOf(record);
  const deployment = new Deployment({ ...options, directory }, owner, record);
  try {
    await deployment.startTop();
    await Promise.all((options.sites ?? []).map((site) => deployment.addSite(site)));
  } catch (error) {
    await deployment.stop();
    throw error;
  }
  return deployment;
}

async function ownRecord(directory: string): Promise<LabRecord> {
  await destroyLeftovers(directory);
  const owner = identify(process.pid);
  if (owner === undefined) throw new Error('/proc does not show this process.');
  const id = randomBytes(2).toString('hex');
  return new LabRecord(directory, { id, owner, namespaces: [], processes: [], folders: [], shortcut: null });
}

function ownerOf(record: LabRecord | undefined): Owner {
  return {
    track: (pid) => {
      const started = identify(pid);
      if (started !== undefined) record?.addProcess(started);
    },
    own: (path) => record?.addFolder(path),
  };
}

/** A running Weir; made by `startDeployment`. */
export class Deployment {
  readonly cloudsFile: string;
  readonly logs: string;
  private readonly processes = new Map<string, DeployedProcess>();
  private readonly sites = new Map<string, string>();
  private readonly state: string;
  private readonly logger: Logger;
  private client: ApiClient | undefined;
  private asked: Tenant | undefined;
  private seen = 0;
  private stopped = false;

  constructor(
    private readonly options: DeploymentOptions,
    private readonly owner: Owner,
    private readonly record: LabRecord | undefined,
  ) {
    this.state = join(options.directory, 'state');
    this.logs = join(options.directory, 'logs');
    this.cloudsFile = join(options.directory, 'clouds.yaml');
    this.logger = options.logger ?? silentLogger;
    owner.own(this.state);
    owner.own(this.cloudsFile);
  }

  /** The API's address, without a slash at the end. */
  get api(): string {
    return this.connected.address;
  }

  get tenant(): Tenant {
    if (this.asked === undefined) throw conflict('The Top is not started.');
    return this.asked;
  }

  /** Called by `startDeployment` alone. */
  async startTop(): Promise<void> {
    const { programs, port } = this.options;
    // Once known, the address is kept: clients and Bottoms have it.
    const portArgs = () => {
      const known = this.client === undefined ? port : Number(new URL(this.client.address).port);
      return known === undefined ? [] : ['--port', String(known)];
    };
    const state = ['--state', join(this.state, 'top'), '--clouds', this.cloudsFile];
    const top = this.add('top', programs.top, () => [...state, ...portArgs()]);
    const before = existsSync(top.log) ? statSync(top.log).size : 0;
    await top.start();
    const address = await this.wait(
      () => /^\{"listening":"([^"]+)"\}$/m.exec(readFileSync(top.log).subarray(before).toString())?.[1],
      { what: 'the Top to listen', deadlineMs: START_DEADLINE_MS },
    );
    this.client = new ApiClient(address, this.cloudsFile);
    this.asked = new Tenant(this.client, this.wait);
  }

  /** Adds it by the API, starts its Bottom and Hosts; resolves when it has joined with the room of all its hosts. */
  async addSite(site: DeployedSite): Promise<SiteStatus> {
    const added = await this.request<{ site: { id: string }; join_token: string }>('POST', '/weir/v1/sites', {
      site: {
        name: site.name,
        data_center: site.dataCenter,
        availability_zones: Object.keys(site.zones),
        driver: 'ovs',
        tunnel: { type: 'vxlan', mtu: UNDERLAY_MTU },
      },
    });
    this.sites.set(site.name, added.site.id);
    const state = join(this.state, `bottom-${site.name}`);
    const args = ['--top', this.api, '--token', added.join_token, '--state', state];
    await this.add(`bottom-${site.name}`, this.options.programs.bottom, () => args).start();
    const hosts = this.options.lab === undefined ? 0 : await this.startHosts(site, state);
    const status = await this.wait(
      async () => {
        const found = await this.site(site.name);
        const room = found.capacity.reduce((sum, zone) => sum + zone.total.vcpus, 0);
        // A site that has no room at all stays joining.
        const joined = found.lifecycle === (hosts === 0 ? 'joining' : 'active') && found.reachability === 'reachable';
        return joined && room >= hosts * HOST_TOTALS.vcpus ? found : undefined;
      },
      { what: `site ${site.name} to have joined with ${hosts} hosts`, deadlineMs: START_DEADLINE_MS },
    );
    this.logger.info('A site has joined', { site: site.name });
    return status;
  }

  token(cloud = 'weir'): Promise<string> {
    return this.connected.token(cloud);
  }

  /** As a user of `cloud` (`weir`, the admin, unless said); rejects with ApiRefused. */
  request<T>(method: Method, path: string, body?: unknown, cloud?: string): Promise<T> {
    return this.connected.request<T>(method, path, body, cloud);
  }

  async site(name: string): Promise<SiteStatus> {
    const id = this.sites.get(name);
    if (id === undefined) throw notFound(`The deployment has no site '${name}'.`);
    return (await this.request<{ site: SiteStatus }>('GET', `/weir/v1/sites/${id}`)).site;
  }

  /** `top`, `bottom-<site>` or `host-<lab host>`. */
  process(name: string): DeployedProcess {
    const found = this.processes.get(name);
    if (found === undefined)
      throw notFound(`The deployment has no process '${name}'; it has ${this.names.join(', ')}.`);
    return found;
  }

  /** Of every process, running or not. */
  get names(): readonly string[] {
    return [...this.processes.keys()];
  }

  /** Resolves when everything that is in the log is programmed at these sites (all unless said), and nothing new came. */
  async waitForSettled(sites: readonly string[] = [...this.sites.keys()], deadlineMs = SETTLE_DEADLINE_MS) {
    await this.wait(
      async () => {
        const head = await this.head();
        const found = await Promise.all(sites.map((site) => this.site(site)));
        return found.every(({ settled }) => settled !== null && settled >= head);
      },
      { what: `${sites.join(' and ')} to settle`, deadlineMs },
    );
  }

  async metrics(): Promise<readonly Sample[]> {
    return parseMetrics(await this.connected.text('/metrics'));
  }

  /** As `waitFor`; rejects at once when a process ends that nobody has ended. */
  readonly wait: Wait = async (condition, options) => {
    const outcome = await waitFor(
      async () => {
        if (this.stopped) return { ended: conflict('The deployment has been stopped.') };
        const [ended] = [...this.processes.values()].flatMap((each) => each.unexpectedEnd() ?? []);
        if (ended !== undefined) return { ended };
        const value = await condition();
        return value ? { value } : undefined;
      },
      { everyMs: POLL_MS, ...options },
    );
    if (outcome.ended !== undefined) throw outcome.ended;
    return outcome.value;
  };

  /** Ends all processes in order, from below, and what waits for them; without a lab it also removes what they leave but their logs. May be called again. */
  async stop(): Promise<void> {
    this.stopped = true;
    const ended = (prefix: string) =>
      Promise.all(
        [...this.processes.values()].filter(({ name }) => name.startsWith(prefix)).map((each) => each.stop()),
      );
    await ended('host-');
    await ended('bottom-');
    await ended('top');
    if (this.record !== undefined) await tearDown(this.record.directory, this.record.state);
  }

  private async startHosts(site: DeployedSite, bottomState: string): Promise<number> {
    const read = (name: string) => readFileSync(join(bottomState, name), 'utf8').trim();
    const { url, token } = await this.wait(() => ({ url: read('url'), token: read('host-token') }), {
      what: `the Bottom of ${site.name} to listen`,
      deadlineMs: START_DEADLINE_MS,
    });
    const hosts = Object.entries(site.zones).flatMap(([zone, names]) => names.map((name) => ({ zone, name })));
    await Promise.all(hosts.map(({ zone, name }) => this.startHost(name, zone, url, token)));
    return hosts.length;
  }

  private async startHost(name: string, zone: string, bottom: string, token: string): Promise<void> {
    const host = this.options.lab?.host(name);
    if (host === undefined) throw notFound(`There is no lab with a host '${name}'.`);
    const flags = {
      bottom,
      token,
      name,
      zone,
      vcpus: HOST_TOTALS.vcpus,
      'ram-mb': HOST_TOTALS.ramMb,
      'disk-gb': HOST_TOTALS.diskGb,
      hypervisor: 'namespace',
      ovsdb: `unix:${host.ovsdb}`,
      datapath: 'netdev',
      netns: host.netns,
      'tunnel-ip': host.underlay,
      state: join(this.state, `host-${name}`),
    };
    const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, String(value)]);
    await this.add(`host-${name}`, this.options.programs.host, () => args).start();
  }

  private add(name: string, program: string, args: () => readonly string[]): DeployedProcess {
    const argsNow = () => {
      if (this.stopped) throw conflict('The deployment has been stopped.');
      return args();
    };
    const started = (pid: number): void => {
      this.owner.track(pid);
      this.logger.info('Started', { process: name, pid });
    };
    const log = join(this.logs, `${name}.log`);
    const added = new DeployedProcess({ name, program, args: argsNow, log, started });
    this.processes.set(name, added);
    return added;
  }

  /** The position of the last event. */
  private async head(): Promise<number> {
    for (;;) {
      const path = `/weir/v1/events?after=${this.seen}&limit=1000`;
      const { events, next } = await this.request<{ events: unknown[]; next: number }>('GET', path);
      if (events.length === 0) return this.seen;
      this.seen = next;
    }
  }

  private get connected(): ApiClient {
    if (this.client === undefined) throw conflict('The Top is not started.');
    return this.client;
  }
}
