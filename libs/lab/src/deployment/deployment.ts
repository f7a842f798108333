import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { conflict, type Logger, notFound, silentLogger } from '@weir/kernel';
import type { Lab } from '../lab';
import { type Claim, claimFolder } from '../claim';
import { identify } from '../processes';
import type { LabRecord } from '../record';
import { waitFor } from '../wait-for';
import { ApiClient, type Method } from './api-client';
import { DeployedProcess } from './deployed-process';
import { parseMetrics, type Sample } from './metrics';
import { type DeployedSite, HOST_TOTALS, Sites, type SiteStatus } from './sites';
import { Tenant, type Wait } from './tenant';

/** Paths of the built `main.js` of each app. */
export interface Programs {
  readonly top: string;
  readonly bottom: string;
  readonly host: string;
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

/** What is made goes with it: the lab, or a record of its own. */
interface Owner {
  track(pid: number): void;
  own(path: string): void;
}

/** Each poll is a request or two, on a machine that has other work. */
const POLL_MS = 50;
const START_DEADLINE_MS = 20_000;

/**
 * Starts a Top and the sites' Bottoms and Hosts as processes of their own; resolves when the sites have joined with all their
 * hosts. Cleans up what a crashed one in the same folder left; leaves no process when it rejects.
 */
export async function startDeployment(options: DeploymentOptions): Promise<Deployment> {
  const directory = resolve(options.directory);
  const claim = options.lab === undefined ? await claimFolder(directory) : undefined;
  const owner = options.lab ?? ownerOf(claim?.record);
  const deployment = new Deployment({ ...options, directory }, owner, claim);
  try {
    await deployment.startTop();
    await Promise.all((options.sites ?? []).map((site) => deployment.addSite(site)));
  } catch (error) {
    await deployment.stop();
    throw error;
  }
  return deployment;
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
  private readonly state: string;
  private readonly logger: Logger;
  private client: ApiClient | undefined;
  private asked: Tenant | undefined;
  private sites: Sites | undefined;
  private stopped = false;

  constructor(
    private readonly options: DeploymentOptions,
    private readonly owner: Owner,
    private readonly claim: Claim | undefined,
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
    this.sites = new Sites(this.client, this.wait);
  }

  /** Adds it by the API, starts its Bottom and Hosts; resolves when it has joined with the room of all its hosts. */
  async addSite(site: DeployedSite): Promise<SiteStatus> {
    const joinToken = await this.siteList.add(site, 'ovs');
    const state = join(this.state, `bottom-${site.name}`);
    const args = ['--top', this.api, '--token', joinToken, '--state', state];
    await this.add(`bottom-${site.name}`, this.options.programs.bottom, () => args).start();
    const hosts = this.options.lab === undefined ? 0 : await this.startHosts(site, state);
    const status = await this.siteList.waitForJoined(site.name, hosts);
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

  site(name: string): Promise<SiteStatus> {
    return this.siteList.status(name);
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
  waitForSettled(sites?: readonly string[], deadlineMs?: number): Promise<void> {
    return this.siteList.waitForSettled(sites, deadlineMs);
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
    await this.claim?.release();
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

  private get siteList(): Sites {
    if (this.sites === undefined) throw conflict('The Top is not started.');
    return this.sites;
  }

  private get connected(): ApiClient {
    if (this.client === undefined) throw conflict('The Top is not started.');
    return this.client;
  }
}
