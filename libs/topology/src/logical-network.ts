import { canonicalJson, type Id, type PortId, type ServerId } from '@weir/kernel';
import type { DomainEvent, FixedIp } from '@weir/domain';
import type {
  FactBody,
  FactChange,
  FactKind,
  NetworkFact,
  PortFact,
  RouterFact,
  ServerFact,
  SubnetFact,
} from './facts';
import { Rehearsal, RehearsedMap } from './rehearsal';
import type { SpanChange } from './span';

/** An event as it stands in the log; others than those of the network are passed over. */
export interface LoggedEvent {
  readonly stream: string;
  readonly type: string;
  readonly data: unknown;
}

interface Port {
  readonly deviceId: string;
  readonly deviceOwner: string;
  readonly fact: Omit<PortFact, 'server'>;
  /** Asked to go: no fact any more, whatever else happens to it. */
  readonly deleting: boolean;
}

interface Server {
  readonly fact: ServerFact;
  /** Wanted: neither deleting nor given up. */
  readonly wanted: boolean;
}

/**
 * The Top's fold from the log to facts: what the places below need to know of networks, routers, and the ports of servers, and where each server is.
 * - A port has a fact while it is a server's (`compute:…`); until then, and once it is deleting, it has none.
 * - A server has a fact from its request until it is deleting. A failed one keeps it (its host may still get over it), unless its capacity was freed:
 *   then no host can ever hold it, and it is taken back. Its place it keeps until it is deleted, so that a site hears of its networks while it is stopped.
 */
export class LogicalNetwork {
  private readonly rehearsal = new Rehearsal();
  private readonly networks = new RehearsedMap<string, NetworkFact>(this.rehearsal);
  private readonly subnets = new RehearsedMap<string, SubnetFact>(this.rehearsal);
  private readonly routers = new RehearsedMap<string, RouterFact>(this.rehearsal);
  private readonly interfaces = new RehearsedMap<string, FactBody<'router-interface'>>(this.rehearsal);
  private readonly ports = new RehearsedMap<string, Port>(this.rehearsal);
  private readonly servers = new RehearsedMap<string, Server>(this.rehearsal);
  private readonly departures = new RehearsedMap<string, FactBody<'departure'>>(this.rehearsal);
  private readonly bound = new RehearsedMap<string, FactBody<'binding'>>(this.rehearsal);
  /** Port facts as published. */
  private readonly published = new RehearsedMap<string, PortFact>(this.rehearsal);

  /** Takes over the next event of the log; answers what it changes, [] for most. */
  apply(logged: LoggedEvent): SpanChange[] {
    const event = logged as { readonly stream: string } & DomainEvent;
    switch (event.type) {
      case 'NetworkCreated':
      case 'NetworkAdopted': {
        const id = subject(event.stream, 'network');
        const { projectId, name, mtu, segment } = event.data;
        return this.put('network', this.networks, { id, project: projectId, name, mtu, segment });
      }
      case 'NetworkUpdated': {
        const known = this.networks.get(subject(event.stream, 'network'));
        return known
          ? this.put('network', this.networks, { ...known, ...given({ name: event.data.name, mtu: event.data.mtu }) })
          : [];
      }
      case 'NetworkDeleted': {
        const id = subject(event.stream, 'network');
        const subnets = [...this.subnets.values()].filter((subnet) => subnet.network === id);
        return [
          ...subnets.flatMap((subnet) => this.drop('subnet', this.subnets, subnet.id)),
          ...this.drop('network', this.networks, id),
        ];
      }
      case 'SubnetAdded':
      case 'SubnetAdopted': {
        const { subnetId, name, cidr, gatewayIp, enableDhcp, dnsNameservers, hostRoutes, serverIp, serverMac } =
          event.data;
        return this.put('subnet', this.subnets, {
          id: subnetId,
          network: subject(event.stream, 'network'),
          name,
          cidr,
          gatewayIp,
          enableDhcp,
          dnsNameservers: [...dnsNameservers],
          hostRoutes: [...hostRoutes],
          serverIp,
          serverMac,
        });
      }
      case 'SubnetUpdated': {
        const known = this.subnets.get(event.data.subnetId);
        if (!known) return [];
        const { name, gatewayIp, enableDhcp, dnsNameservers, hostRoutes, serverIp } = event.data;
        return this.put('subnet', this.subnets, {
          ...known,
          ...given({ name, gatewayIp, enableDhcp, serverIp }),
          ...(dnsNameservers && { dnsNameservers: [...dnsNameservers] }),
          ...(hostRoutes && { hostRoutes: [...hostRoutes] }),
        });
      }
      case 'SubnetRemoved':
        return this.drop('subnet', this.subnets, event.data.subnetId);

      case 'RouterCreated':
      case 'RouterAdopted': {
        const id = subject(event.stream, 'router');
        const { projectId, name, adminStateUp, routes } = event.data;
        return this.put('router', this.routers, { id, project: projectId, name, adminStateUp, routes: [...routes] });
      }
      case 'RouterUpdated': {
        const known = this.routers.get(subject(event.stream, 'router'));
        if (!known) return [];
        const { name, adminStateUp, routes } = event.data;
        return this.put('router', this.routers, {
          ...known,
          ...given({ name, adminStateUp }),
          ...(routes && { routes: [...routes] }),
        });
      }
      case 'RouterInterfaceAdded':
      case 'RouterInterfaceAdopted': {
        const { portId, networkId, subnetId, ip, mac } = event.data;
        const router = subject(event.stream, 'router');
        return this.put('router-interface', this.interfaces, {
          id: portId,
          router,
          network: networkId,
          subnet: subnetId,
          ip,
          mac,
        });
      }
      case 'RouterInterfaceRemoved':
        return this.drop('router-interface', this.interfaces, event.data.portId);
      case 'RouterDeleted': {
        const id = subject(event.stream, 'router');
        const links = [...this.interfaces.values()].filter((link) => link.router === id);
        return [
          ...links.flatMap((link) => this.drop('router-interface', this.interfaces, link.id)),
          ...this.drop('router', this.routers, id),
        ];
      }

      case 'PortCreated':
      case 'PortAdopted': {
        const id = subject(event.stream, 'port');
        const { networkId, projectId, name, mac, fixedIps, adminStateUp, portSecurityEnabled, deviceId, deviceOwner } =
          event.data;
        const fact = {
          id,
          network: networkId,
          project: projectId,
          name,
          mac,
          fixedIps: addresses(fixedIps),
          adminStateUp,
          portSecurity: portSecurityEnabled,
        };
        return this.setPort(id, { deviceId, deviceOwner, fact, deleting: false });
      }
      case 'PortUpdated': {
        const id = subject(event.stream, 'port');
        const known = this.ports.get(id);
        if (!known) return [];
        const { name, adminStateUp, portSecurityEnabled, fixedIps, deviceId, deviceOwner } = event.data;
        return this.setPort(id, {
          ...known,
          ...given({ deviceId, deviceOwner }),
          fact: {
            ...known.fact,
            ...given({ name, adminStateUp, portSecurity: portSecurityEnabled }),
            ...(fixedIps && { fixedIps: addresses(fixedIps) }),
          },
        });
      }
      case 'PortBound': {
        const id = subject(event.stream, 'port');
        return this.put('binding', this.bound, { port: id, host: event.data.host, endpoint: event.data.endpoint }, id);
      }
      case 'PortDeleting': {
        const id = subject(event.stream, 'port');
        const known = this.ports.get(id);
        const server = this.published.get(id)?.server;
        return [
          ...(known ? this.setPort(id, { ...known, deleting: true }) : []),
          ...(server === undefined ? [] : this.put('departure', this.departures, { id, of: 'port', server })),
        ];
      }
      case 'PortDeleted': {
        const id = subject(event.stream, 'port');
        const known = this.ports.get(id);
        const changes = known ? this.setPort(id, { ...known, deleting: true }) : [];
        this.ports.delete(id);
        return [...changes, ...this.drop('departure', this.departures, id)];
      }

      case 'ServerRequested':
      case 'ServerAdopted': {
        const id = subject(event.stream, 'server');
        const { projectId, name, siteId, zone, flavor, imageId, ports } = event.data;
        const fact: ServerFact = {
          id,
          project: projectId,
          name,
          site: siteId,
          zone,
          vcpus: flavor.vcpus,
          ramMb: flavor.ramMb,
          diskGb: flavor.diskGb,
          image: imageId,
          ports: ports.map((port) => port.portId),
          power: 'on',
        };
        this.servers.set(id, { fact, wanted: true });
        return [
          { op: 'upsert', kind: 'server', id, body: fact },
          { op: 'place', server: id, place: siteId },
        ];
      }
      case 'ServerUpdated':
        return event.data.name === undefined
          ? []
          : this.changeServer(subject(event.stream, 'server'), { name: event.data.name });
      case 'ServerFailed':
        return event.data.capacityFreed ? this.unwant(subject(event.stream, 'server')) : [];
      case 'ServerDeleting': {
        const id = subject(event.stream, 'server');
        const changes = this.unwant(id);
        return this.servers.has(id)
          ? [...changes, ...this.put('departure', this.departures, { id, of: 'server', server: id })]
          : changes;
      }
      case 'ServerDeleted': {
        const id = subject(event.stream, 'server');
        const changes = [...this.unwant(id), ...this.drop('departure', this.departures, id)];
        return this.servers.delete(id) ? [...changes, { op: 'unplace', server: id }] : [];
      }
      default:
        return [];
    }
  }

  /** Takes back afterwards whatever `work` has applied; the answers stand. */
  rehearse<T>(work: () => T): T {
    return this.rehearsal.run(work);
  }

  private put<K extends FactKind>(
    kind: K,
    facts: Map<string, FactBody<K>>,
    body: FactBody<K>,
    id: string = (body as { readonly id: string }).id,
  ): FactChange[] {
    const known = facts.get(id);
    if (known && canonicalJson(known) === canonicalJson(body)) return [];
    facts.set(id, body);
    return [{ op: 'upsert', kind, id, body } as FactChange];
  }

  private drop(kind: FactKind, facts: Map<string, unknown>, id: string): FactChange[] {
    return facts.delete(id) ? [{ op: 'delete', kind, id }] : [];
  }

  private setPort(id: PortId, port: Port): FactChange[] {
    this.ports.set(id, port);
    if (!port.deleting && port.deviceOwner.startsWith('compute:') && port.deviceId !== '') {
      return this.put('port', this.published, { ...port.fact, server: port.deviceId as ServerId });
    }
    const server = this.published.get(id)?.server;
    const changes = [...this.drop('binding', this.bound, id), ...this.drop('port', this.published, id)];
    return server === undefined ? changes : [...changes, ...this.detach(server, id)];
  }

  /** A server's fact never names a port that was taken from it. */
  private detach(id: ServerId, port: PortId): FactChange[] {
    const ports = this.servers.get(id)?.fact.ports ?? [];
    return ports.includes(port) ? this.changeServer(id, { ports: ports.filter((other) => other !== port) }) : [];
  }

  private changeServer(id: ServerId, change: Partial<ServerFact>): FactChange[] {
    const known = this.servers.get(id);
    if (!known) return [];
    const fact = { ...known.fact, ...change };
    this.servers.set(id, { ...known, fact });
    return known.wanted ? [{ op: 'upsert', kind: 'server', id, body: fact }] : [];
  }

  private unwant(id: ServerId): FactChange[] {
    const known = this.servers.get(id);
    if (!known?.wanted) return [];
    this.servers.set(id, { ...known, wanted: false });
    return [{ op: 'delete', kind: 'server', id }];
  }
}

/** A stream is named `<kind>-<id>`. */
function subject<Kind extends string>(stream: string, kind: Kind): Id<Kind> {
  return stream.slice(kind.length + 1) as Id<Kind>;
}

/** The fields that an update gives; those that it leaves out stay as they are. */
function given<Fields extends object>(fields: Fields): { [Field in keyof Fields]?: Exclude<Fields[Field], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [Field in keyof Fields]?: Exclude<Fields[Field], undefined>;
  };
}

function addresses(fixedIps: readonly FixedIp[]): PortFact['fixedIps'] {
  return fixedIps.map(({ subnetId, ip }) => ({ subnet: subnetId, ip }));
}
