import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { jsonLogger } from '@weir/bottom';
import { conflict, type Logger, notFound } from '@weir/kernel';
import { type PlannedHost, waitFor } from '@weir/lab';
import {
  ApiClient,
  type DeployedSite,
  type Method,
  Sites,
  type SiteStatus,
  Tenant,
  type Wait,
} from '@weir/lab/deployment';
import { SimulatedUnderlay } from '@weir/site-drivers/simulated';
import {
  addressOf,
  createTop,
  DEFAULT_PORT,
  listen,
  memoryStorage,
  pointClouds,
  type Top,
  writeClouds,
} from '@weir/top';
import type { StagedWeir } from '../stage';
import { BottomProcess } from './bottom-process';
import { HostProcess } from './host-process';
import type { System } from './system';

export interface SimulatedWeirOptions extends Omit<System, 'logger'> {
  /** For `state/`, `logs/` and `clouds.yaml`. */
  readonly directory: string;
  readonly hosts: readonly PlannedHost[];
}

interface Standing {
  /** Why nothing more is to be waited for. */
  failure: Error | undefined;
}

/** Each poll is a request or two. */
const POLL_MS = 20;

/** All of Weir in this process: a Top with its API on the loopback address, Bottoms that follow it there, and Hosts. Nothing is kept on disk but passwords. */
export class SimulatedWeir implements StagedWeir {
  readonly api: string;
  readonly tenant: Tenant;
  private readonly client: ApiClient;
  private readonly sites: Sites;
  private readonly underlay = new SimulatedUnderlay();
  private readonly bottoms = new Map<string, BottomProcess>();
  private readonly hosts = new Map<string, HostProcess>();

  private constructor(
    private readonly options: SimulatedWeirOptions,
    private readonly top: Top,
    private readonly standing: Standing,
    { api, cloudsFile }: { readonly api: string; readonly cloudsFile: string },
  ) {
    this.api = api;
    this.client = new ApiClient(api, cloudsFile);
    this.tenant = new Tenant(this.client, this.wait);
    this.sites = new Sites(this.client, this.wait);
  }

  /** Resolves when its API answers. */
  static async start(options: SimulatedWeirOptions): Promise<SimulatedWeir> {
    const { directory, clock, timers, random } = options;
    const cloudsFile = join(directory, 'clouds.yaml');
    const state = join(directory, 'state', 'top');
    const standing: Standing = { failure: undefined };
    const top = await createTop(
      {
        ...{ state, clock, timers, random },
        logger: loggerOf('top', options),
        firstPasswords: (passwords) => writeClouds(cloudsFile, addressOf(DEFAULT_PORT), passwords),
        failed: (error) => (standing.failure ??= error instanceof Error ? error : new Error(String(error))),
      },
      memoryStorage(timers),
    );
    const api = addressOf(await listen(top.application, DEFAULT_PORT, false));
    pointClouds(cloudsFile, api);
    return new SimulatedWeir(options, top, standing, { api, cloudsFile });
  }

  /** Resolves when it has joined with the room of all its hosts. */
  async addSite(site: DeployedSite): Promise<SiteStatus> {
    const { clock, timers, random } = this.options;
    const system = (name: string) => ({ clock, timers, random, logger: loggerOf(name, this.options) });
    const token = await this.sites.add(site, 'simulated');
    const bottom = new BottomProcess({ ...system(`bottom-${site.name}`), top: this.api, token });
    this.bottoms.set(site.name, bottom);
    await bottom.start();
    const places = Object.entries(site.zones).flatMap(([zone, names]) => names.map((name) => ({ zone, name })));
    for (const { zone, name } of places) {
      const planned = this.options.hosts.find((host) => host.name === name);
      if (planned === undefined) throw notFound(`There is no host '${name}'.`);
      const place = { name, zone, endpoint: planned.underlay, underlay: this.underlay, bottom };
      const host = new HostProcess({ ...system(`host-${name}`), ...place });
      this.hosts.set(name, host);
      await host.start();
    }
    return this.sites.waitForJoined(site.name, places.length);
  }

  host(name: string): HostProcess {
    const found = this.hosts.get(name);
    if (found === undefined) throw notFound(`There is no host '${name}'.`);
    return found;
  }

  process(name: string): BottomProcess | HostProcess {
    const found = name.startsWith('bottom-')
      ? this.bottoms.get(name.slice('bottom-'.length))
      : this.hosts.get(name.slice('host-'.length));
    if (found === undefined) throw notFound(`There is no '${name}'.`);
    return found;
  }

  request<T>(method: Method, path: string, body?: unknown, cloud?: string): Promise<T> {
    return this.client.request<T>(method, path, body, cloud);
  }

  waitForSettled(sites?: readonly string[], deadlineMs?: number): Promise<void> {
    return this.sites.waitForSettled(sites, deadlineMs);
  }

  readonly wait: Wait = async (condition, options) => {
    const outcome = await waitFor(
      async () => {
        const { failure } = this.standing;
        if (failure !== undefined) return { ended: failure };
        const value = await condition();
        return value ? { value } : undefined;
      },
      { everyMs: POLL_MS, ...options },
    );
    if (outcome.ended !== undefined) throw outcome.ended;
    return outcome.value;
  };

  /** From below. */
  async stop(): Promise<void> {
    this.standing.failure ??= conflict('The demo ends.');
    await Promise.all([...this.hosts.values()].map((host) => host.kill()));
    await Promise.all([...this.bottoms.values()].map((bottom) => bottom.kill()));
    await this.top.close();
  }
}

/** As the processes' own: a file for each. */
function loggerOf(name: string, { directory, clock }: SimulatedWeirOptions): Logger {
  const logs = join(directory, 'logs');
  mkdirSync(logs, { recursive: true });
  return jsonLogger((line) => appendFileSync(join(logs, `${name}.log`), line, { mode: 0o600 }), clock);
}
