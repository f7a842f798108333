import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, silentLogger, systemClock, systemRandom, systemTimers, type Timers } from '@weir/kernel';
import { sqliteStorage } from '../../apps/top/src/storage/sqlite-storage';
import { createTop, type Top } from '../../apps/top/src/top';
import type { Storage } from '../../apps/top/src/storage/storage';
import { expectRebuiltEqualsLive } from '../rebuilt';
import { FakeSite, type FakeSiteOptions, type ZoneTotals } from './fake-site';

export interface Answer {
  readonly status: number;
  readonly body: Record<string, any>;
  readonly headers: Headers;
}

type Who = 'admin' | 'demo' | undefined;

/** A real Top on a port of its own, spoken to over HTTP as its users would. */
export class TopWorld {
  private readonly folder = mkdtempSync(join(tmpdir(), 'weir-top-'));
  private readonly sites: FakeSite[] = [];
  private readonly tokens = new Map<string, string>();
  private passwords: { admin: string; demo: string } | undefined;
  private top: Top | undefined;
  private storage: Storage | undefined;
  address = '';

  /** With a clock of the test's, its timers run as the test says. */
  constructor(private readonly time?: Clock & Timers) {}

  async start(clock: Clock = this.time ?? systemClock): Promise<void> {
    const logger = silentLogger;
    const failed = (error: unknown) => {
      throw error;
    };
    const timers = this.time ?? systemTimers;
    this.storage = await sqliteStorage({ state: this.folder, timers, logger, failed });
    this.top = await createTop(
      {
        state: this.folder,
        clock,
        timers,
        random: systemRandom,
        logger,
        firstPasswords: (passwords) => (this.passwords = passwords),
        failed,
      },
      this.storage,
    );
    await this.top.application.listen(Number(new URL(this.address || 'http://localhost:0').port), '127.0.0.1');
    this.address = await this.top.application.getUrl();
  }

  /** Ends the Top in good order; its state stays for the next start. */
  async stopTop(): Promise<void> {
    await this.top?.close();
    this.top = undefined;
  }

  async stop(): Promise<void> {
    try {
      for (const site of this.sites) await site.stop();
      if (this.top && this.storage) await expectRebuiltEqualsLive(this.storage.store);
    } finally {
      await this.stopTop();
      rmSync(this.folder, { recursive: true, force: true });
    }
  }

  /** Closes what stands behind the log's last seal, as time would. */
  async seal(): Promise<number> {
    const seal = await this.storage?.store.seal();
    return seal?.position ?? 0;
  }

  /** Tokens run out, also on a clock of the test's. */
  forgetTokens(): void {
    this.tokens.clear();
  }

  get state(): string {
    return this.folder;
  }

  password(who: 'admin' | 'demo'): string {
    return this.passwords?.[who] ?? '';
  }

  async token(who: 'admin' | 'demo'): Promise<string> {
    const known = this.tokens.get(who);
    if (known) return known;
    const domain = { name: 'Default' };
    const auth = {
      identity: { methods: ['password'], password: { user: { name: who, domain, password: this.passwords?.[who] } } },
      scope: { project: { name: who === 'admin' ? 'admin' : 'demo', domain } },
    };
    const response = await fetch(`${this.address}/identity/v3/auth/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ auth }),
    });
    const token = response.headers.get('x-subject-token') ?? '';
    this.tokens.set(who, token);
    return token;
  }

  async send(
    who: Who,
    method: string,
    path: string,
    body?: unknown,
    further: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const headers: Record<string, string> = { ...further, ...(who ? { 'x-auth-token': await this.token(who) } : {}) };
    if (body !== undefined) headers['content-type'] = 'application/json';
    const response = await fetch(this.address + path, {
      method,
      headers,
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') ?? false;
    return {
      status: response.status,
      body: isJson && text ? (JSON.parse(text) as Record<string, unknown>) : { text },
      headers: response.headers,
    };
  }

  get(path: string, who: Who = 'demo') {
    return this.send(who, 'GET', path);
  }
  post(path: string, body: unknown, who: Who = 'demo') {
    return this.send(who, 'POST', path, body);
  }
  put(path: string, body: unknown, who: Who = 'demo') {
    return this.send(who, 'PUT', path, body);
  }
  delete(path: string, who: Who = 'demo') {
    return this.send(who, 'DELETE', path);
  }

  async network(name: string, cidr?: string, who: Who = 'demo'): Promise<{ id: string; subnet: string }> {
    const network = await this.post('/network/v2.0/networks', { network: { name } }, who);
    const id = network.body['network'].id as string;
    if (cidr === undefined) return { id, subnet: '' };
    const subnet = await this.post('/network/v2.0/subnets', { subnet: { network_id: id, cidr, ip_version: 4 } }, who);
    return { id, subnet: subnet.body['subnet'].id as string };
  }

  server(name: string, fields: Record<string, unknown>, who: Who = 'demo') {
    return this.post(
      '/compute/v2.1/servers',
      { server: { name, flavorRef: '1', imageRef: '5a1f0000-0000-4000-8000-000000000001', ...fields } },
      who,
    );
  }

  /** A site that has joined and is active. */
  async site(
    name: string,
    dataCenter: string,
    zones: Readonly<Record<string, ZoneTotals>>,
    options: FakeSiteOptions = {},
  ): Promise<{ id: string; fake: FakeSite }> {
    const body = {
      site: {
        name,
        data_center: dataCenter,
        availability_zones: Object.keys(zones),
        driver: 'ovs',
        tunnel: { type: 'vxlan', mtu: 1500 },
      },
    };
    const added = await this.post('/weir/v1/sites', body, 'admin');
    const id = added.body['site'].id as string;
    const fake = await FakeSite.join(this.address, name, added.body['join_token'] as string, zones, options);
    this.sites.push(fake);
    await this.until(async () => {
      const { site } = (await this.get(`/weir/v1/sites/${id}`, 'admin')).body;
      return (
        site.lifecycle === 'active' && site.capacity.every((zone: { total: { vcpus: number } }) => zone.total.vcpus > 0)
      );
    }, `site ${name} to be active`);
    return { id, fake };
  }

  async until(condition: () => Promise<boolean> | boolean, what: string, deadlineMs = 20_000): Promise<void> {
    const end = performance.now() + deadlineMs;
    while (!(await condition())) {
      if (performance.now() > end) throw new Error(`Waited ${deadlineMs} ms in vain for ${what}.`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
