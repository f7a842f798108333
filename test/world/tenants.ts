import type { Row } from '@weir/event-store';
import { type ProjectId, type Random, type UserId, WeirError } from '@weir/kernel';
import { WEIR_INSTANCE } from '@weir/openstack-api/image';
import type { Asking } from '../../apps/top/src/http/request';
import { type Ground, oneOf } from './ground';
import type { Api, TopProcess } from './top-process';

/** Overlapping between tenants and networks; the small ones run out of addresses. */
const CIDRS = ['10.0.0.0/29', '10.0.1.0/24', '10.0.2.0/29', '10.0.3.0/24'];
const FLAVORS = ['1', '1', '1', '2', '3'];

interface Tenant {
  readonly name: string;
  readonly asking: Asking;
}

type Kind = 'network' | 'subnet' | 'port' | 'router' | 'server';
type Intent = (tenant: Tenant, api: Api) => Promise<unknown> | undefined;

/** What somebody was told of, and where the log was by then. */
class Told extends Map<string, Kind> {
  private readonly positions = new Map<string, number>();

  constructor(private readonly position: () => number) {
    super();
  }

  override set(id: string, kind: Kind): this {
    this.positions.set(id, this.position());
    return super.set(id, kind);
  }

  setBack(position: number): void {
    for (const [id, told] of this.positions) if (told > position) this.delete(id);
  }
}

/** What users were told: what they were told exists does, until they ask for its end. */
export class Ledger {
  readonly made: Told;
  readonly ended: Told;
  /** Whether its end was asked for, with whatever answer. */
  readonly endAsked = new Set<string>();

  /** `position`: where the log is. */
  constructor(position: () => number) {
    this.made = new Told(position);
    this.ended = new Told(position);
  }

  /** The log was set back to there: what users were told since does not hold. */
  setBack(position: number): void {
    this.made.setBack(position);
    this.ended.setBack(position);
  }
}

/** Several tenants who want things at random, all at once. */
export class Tenants {
  readonly ledger: Ledger;
  private readonly random: Random;
  private readonly all: readonly Tenant[];
  private readonly open = new Set<Promise<void>>();
  private named = 0;

  constructor(
    private readonly ground: Ground,
    private readonly top: TopProcess,
    private readonly zones: readonly string[],
  ) {
    this.random = ground.random('tenants');
    this.ledger = new Ledger(() => top.disk.log.events.length);
    this.all = ['blue', 'green', 'red'].map((name) => {
      const [projectId, userId] = [this.random.uuid() as ProjectId, this.random.uuid() as UserId];
      ground.trace.name(projectId, name);
      const caller = { userId, userName: name, projectId, system: false, roles: new Set(['member']) };
      return { name, asking: { caller, address: '', origin: { requestId: `req-${name}`, actor: userId, projectId } } };
    });
  }

  /** Requests that wait for an answer. */
  get waiting(): number {
    return this.open.size;
  }

  /** One of them asks for something. */
  act(): void {
    const [tenant, intent] = [oneOf(this.random, this.all), this.choose()];
    const api = this.top.running?.api;
    if (!tenant) return;
    if (!api) return this.ground.trace.tell(tenant.name, 'finds no Top');
    void intent(tenant, api);
  }

  /** All that is theirs goes; answers whether there was something left to ask for. */
  endAll(): boolean {
    const api = this.top.running?.api;
    if (!api) return true;
    let left = false;
    for (const tenant of this.all) {
      // In the order in which things hang on each other.
      for (const kind of ['server', 'port', 'interface', 'router', 'subnet', 'network'] as const) {
        const rows = this.rowsToEnd(api, tenant, kind);
        for (const row of rows) {
          if (kind === 'interface') void this.detach(tenant, api, row);
          else void this.end(tenant, api, kind, row['id'] as string);
        }
        if (rows.length === 0) continue;
        left = true;
        break;
      }
    }
    return left;
  }

  private rowsToEnd(api: Api, { asking }: Tenant, kind: Kind | 'interface'): readonly Row[] {
    const project = { project_id: asking.caller.projectId ?? '' };
    switch (kind) {
      case 'interface':
        return api.rows
          .live('rm_router_interfaces')
          .filter(
            (row) =>
              api.rows.get('rm_routers', { id: row['router_id'] as string })?.['project_id'] === project.project_id,
          );
      case 'server':
        return api.rows.live('rm_servers', project).filter((row) => row['task_state'] === null);
      case 'port':
        return api.rows.live('rm_ports', { ...project, deleting: 0 }).filter((row) => row['device_owner'] === '');
      default:
        return api.rows.live(`rm_${kind}s`, project);
    }
  }

  private choose(): Intent {
    const intents: readonly (readonly [weight: number, intent: Intent])[] = [
      [10, (tenant, api) => this.makeNetwork(tenant, api)],
      [4, (tenant, api) => this.makeSubnet(tenant, api)],
      [30, (tenant, api) => this.makeServer(tenant, api)],
      [6, (tenant, api) => this.makePort(tenant, api)],
      [5, (tenant, api) => this.makeRouter(tenant, api)],
      [8, (tenant, api) => this.attach(tenant, api)],
      [3, (tenant, api) => this.detachSome(tenant, api)],
      [8, (tenant, api) => this.update(tenant, api)],
      [14, (tenant, api) => this.endSome(tenant, api, 'server')],
      [4, (tenant, api) => this.endSome(tenant, api, 'port')],
      [3, (tenant, api) => this.endSome(tenant, api, 'subnet')],
      [3, (tenant, api) => this.endSome(tenant, api, 'network')],
      [2, (tenant, api) => this.endSome(tenant, api, 'router')],
    ];
    let draw = this.random.integer(intents.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, intent] of intents) if ((draw -= weight) < 0) return intent;
    throw new Error('No intent was drawn.');
  }

  private makeNetwork(tenant: Tenant, api: Api) {
    const name = this.newName('net');
    const { asking } = tenant;
    return this.ask(tenant, `network ${name} with a subnet`, async () => {
      const { network } = await api.networks.create(asking, { network: { name } });
      const { id } = network as { readonly id: string };
      this.ledger.made.set(id, 'network');
      const { subnet } = await api.subnets.create(asking, { subnet: this.newSubnet(id) });
      this.ledger.made.set((subnet as { readonly id: string }).id, 'subnet');
    });
  }

  private makeSubnet(tenant: Tenant, api: Api) {
    const network = this.some(api, tenant, 'rm_networks');
    if (!network) return undefined;
    const body = this.newSubnet(network);
    return this.ask(tenant, `subnet ${body.name} (${body.cidr}) on network ${network}`, async () => {
      const { subnet } = await api.subnets.create(tenant.asking, { subnet: body });
      this.ledger.made.set((subnet as { readonly id: string }).id, 'subnet');
    });
  }

  private newSubnet(network: string) {
    const cidr = oneOf(this.random, CIDRS) ?? '';
    const withoutGateway = this.random.integer(6) === 0;
    const withoutDhcp = this.random.integer(6) === 0;
    return {
      network_id: network,
      name: this.newName('sub'),
      cidr,
      ...(withoutGateway && { gateway_ip: null }),
      ...(withoutDhcp && { enable_dhcp: false }),
    };
  }

  private makePort(tenant: Tenant, api: Api) {
    const network = this.some(api, tenant, 'rm_networks');
    if (!network) return undefined;
    const name = this.newName('port');
    return this.ask(tenant, `port ${name} on network ${network}`, async () => {
      const { port } = await api.ports.create(tenant.asking, { port: { network_id: network, name } });
      this.ledger.made.set((port as { readonly id: string }).id, 'port');
    });
  }

  private makeServer(tenant: Tenant, api: Api) {
    const name = this.newName('vm');
    const flavorRef = oneOf(this.random, FLAVORS) ?? '1';
    const availability_zone = this.random.integer(3) === 0 ? oneOf(this.random, this.zones) : undefined;
    const networks = this.networksFor(tenant, api);
    const where = availability_zone === undefined ? '' : ` in ${availability_zone}`;
    const on = networks.map((one) => ('port' in one ? `port ${one.port}` : `network ${one.uuid}`)).join(' and ');
    return this.ask(
      tenant,
      `server ${name} (flavor ${flavorRef})${where} on ${on === '' ? 'nothing' : on}`,
      async () => {
        const body = { name, flavorRef, imageRef: WEIR_INSTANCE.id, networks, availability_zone };
        const [id] = await api.servers.create(tenant.asking, body);
        if (id !== undefined) this.ledger.made.set(id, 'server');
      },
    );
  }

  private networksFor(tenant: Tenant, api: Api): ({ readonly uuid: string } | { readonly port: string })[] {
    if (this.random.integer(4) === 0) {
      const free = api.rows.live('rm_ports', {
        project_id: tenant.asking.caller.projectId ?? '',
        deleting: 0,
        device_owner: '',
      });
      const port = oneOf(this.random, free)?.['id'] as string | undefined;
      if (port !== undefined) return [{ port }];
    }
    const count = this.random.integer(8) === 0 ? 2 : 1;
    return Array.from({ length: count }, () => this.some(api, tenant, 'rm_networks'))
      .filter((uuid) => uuid !== undefined)
      .map((uuid) => ({ uuid }));
  }

  private makeRouter(tenant: Tenant, api: Api) {
    const name = this.newName('router');
    return this.ask(tenant, `router ${name}`, async () => {
      const { router } = await api.routers.create(tenant.asking, { router: { name } });
      this.ledger.made.set((router as { readonly id: string }).id, 'router');
    });
  }

  private attach(tenant: Tenant, api: Api) {
    const [router, subnet] = [this.some(api, tenant, 'rm_routers'), this.some(api, tenant, 'rm_subnets')];
    if (router === undefined || subnet === undefined) return undefined;
    return this.ask(tenant, `an interface of router ${router} on subnet ${subnet}`, () =>
      api.routers.addInterface(tenant.asking, router, { subnet_id: subnet }),
    );
  }

  private detachSome(tenant: Tenant, api: Api) {
    const link = oneOf(this.random, this.rowsToEnd(api, tenant, 'interface'));
    return link && this.detach(tenant, api, link);
  }

  private detach(tenant: Tenant, api: Api, link: Row) {
    const [router, subnet] = [link['router_id'] as string, link['subnet_id'] as string];
    return this.ask(tenant, `no interface of router ${router} on subnet ${subnet} any more`, () =>
      api.routers.removeInterface(tenant.asking, router, { subnet_id: subnet }),
    );
  }

  private update(tenant: Tenant, api: Api) {
    const { asking } = tenant;
    const isUp = this.random.integer(2) === 0;
    const state = isUp ? 'up' : 'down';
    switch (this.random.integer(6)) {
      case 0: {
        const id = this.some(api, tenant, 'rm_ports');
        if (id === undefined) return undefined;
        return this.ask(tenant, `port ${id} ${state}`, () =>
          api.ports.update(asking, id, { port: { admin_state_up: isUp } }),
        );
      }
      case 1: {
        const id = this.some(api, tenant, 'rm_routers');
        if (id === undefined) return undefined;
        return this.ask(tenant, `router ${id} ${state}`, () =>
          api.routers.update(asking, id, { router: { admin_state_up: isUp } }),
        );
      }
      case 2: {
        const id = this.some(api, tenant, 'rm_subnets');
        if (id === undefined) return undefined;
        return this.ask(tenant, `subnet ${id} ${isUp ? 'with' : 'without'} DHCP`, () =>
          api.subnets.update(asking, id, { subnet: { enable_dhcp: isUp } }),
        );
      }
      case 3: {
        const id = this.some(api, tenant, 'rm_networks');
        if (id === undefined) return undefined;
        const name = this.newName('net');
        return this.ask(tenant, `network ${id} renamed ${name}`, () =>
          api.networks.update(asking, id, { network: { name } }),
        );
      }
      case 4: {
        const port = oneOf(
          this.random,
          api.rows.live('rm_ports', { project_id: asking.caller.projectId ?? '', deleting: 0 }),
        );
        const fixed = (port?.['fixed_ips'] ?? []) as unknown as readonly { readonly subnet_id: string }[];
        if (!port || fixed.length === 0 || (port['device_owner'] as string).startsWith('network:')) return undefined;
        const fixed_ips = fixed.map(({ subnet_id }) => ({ subnet_id }));
        return this.ask(tenant, `other addresses for port ${port['id'] as string}`, () =>
          api.ports.update(asking, port['id'] as string, { port: { fixed_ips } }),
        );
      }
      default: {
        const id = this.some(api, tenant, 'rm_servers');
        if (id === undefined) return undefined;
        const name = this.newName('vm');
        return this.ask(tenant, `server ${id} renamed ${name}`, () => api.servers.update(asking, id, { name }));
      }
    }
  }

  private endSome(tenant: Tenant, api: Api, kind: Kind) {
    const id = kind === 'port' ? this.somePort(api, tenant) : this.some(api, tenant, `rm_${kind}s`);
    return id === undefined ? undefined : this.end(tenant, api, kind, id);
  }

  private end(tenant: Tenant, api: Api, kind: Kind, id: string) {
    this.ledger.endAsked.add(id);
    return this.ask(tenant, `no ${kind} ${id} any more`, async () => {
      await api[`${kind}s`].delete(tenant.asking, id);
      this.ledger.ended.set(id, kind);
    });
  }

  /** One of a running server too. */
  private somePort(api: Api, { asking }: Tenant): string | undefined {
    const project_id = asking.caller.projectId ?? '';
    return oneOf(this.random, api.rows.live('rm_ports', { project_id, deleting: 0 }))?.['id'] as string | undefined;
  }

  private some(api: Api, tenant: Tenant, table: string): string | undefined {
    const rows = api.rows.live(table, { project_id: tenant.asking.caller.projectId ?? '' });
    return oneOf(this.random, rows)?.['id'] as string | undefined;
  }

  private newName(what: string): string {
    return `${what}${++this.named}`;
  }

  /** What is refused is refused; what a dying Top was asked, nobody knows. */
  private ask(tenant: Tenant, what: string, work: () => Promise<unknown>): Promise<unknown> {
    const { trace } = this.ground;
    const life = this.top.running?.life;
    trace.tell(tenant.name, `wants ${what}`);
    const answered = Promise.race([work(), ...(life ? [life.death] : [])]).then(
      () => trace.tell(tenant.name, `has ${what}`),
      (error: unknown) => {
        if (life?.alive !== true) trace.tell(tenant.name, `never hears about ${what}`);
        else if (error instanceof WeirError) trace.tell(tenant.name, `is refused ${what}: ${error.message}`);
        else
          this.ground.violated(
            `asked for ${what}, the Top failed: ${error instanceof Error ? (error.stack ?? '') : String(error)}`,
          );
      },
    );
    this.open.add(answered);
    void answered.finally(() => this.open.delete(answered));
    return answered;
  }
}
