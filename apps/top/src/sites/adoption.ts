import {
  type AdoptionConflict,
  type AdoptResources,
  port as portDecider,
  parseEvent,
  type PortEvent,
} from '@weir/domain';
import { streams } from '@weir/domain';
import type { CommandLog } from '@weir/event-store';
import { fold, type NetworkId, type PortId, type Random, type SiteId, type UserId } from '@weir/kernel';
import { FLAVORS } from '@weir/openstack-api/compute';
import {
  type FactBody,
  type FactKind,
  factSchemas,
  type HeldFact,
  type PortFact,
  type ServerFact,
} from '@weir/topology';

/** Of one append, which takes up to 1,000 events and streams, a server with 16 ports some 50 of each. */
const AT_ONCE = { networks: 100, subnets: 50, routers: 100, interfaces: 50, servers: 15 } as const;

export interface Adoption {
  /** To be carried out one after the other. */
  readonly steps: readonly AdoptResources[];
  /** What nobody here could take. */
  readonly conflicts: readonly AdoptionConflict[];
}

export interface Adopter {
  readonly siteId: SiteId;
  /** The operator. */
  readonly userId: UserId;
  readonly log: Pick<CommandLog, 'readStream'>;
  readonly random: Random;
}

/**
 * What only a site knows, as commands. Left out, and so deleted there, is what the log has heard of and does not want there: it was deleted,
 * or given up. Bindings come with their ports.
 */
export async function adoptionOf(
  onlySite: readonly HeldFact[],
  held: readonly HeldFact[],
  by: Adopter,
): Promise<Adoption> {
  const { facts, conflicts } = readable(onlySite);
  const heard = new Heard(by.log);
  const ports = new Map(facts.port.map((port) => [port.id as string, port]));
  const bindings = new Map(readable(held).facts.binding.map((binding) => [binding.port as string, binding]));
  const nothing: AdoptResources = {
    ...{ siteId: by.siteId, userId: by.userId },
    ...{ networks: [], subnets: [], routers: [], interfaces: [], servers: [] },
  };

  const networks = [];
  for (const { id, project, name, mtu, segment } of facts.network)
    if (!(await heard.of(streams.network(id))))
      networks.push({ networkId: id, projectId: project as never, name, mtu, segment });
  const subnets = [];
  for (const { id, network, ...fields } of facts.subnet)
    if (!(await heard.ofSubnet(network, id)))
      subnets.push({ ...fields, networkId: network, subnetId: id, dhcpPortId: by.random.uuid() as PortId });
  const routers = [];
  for (const { id, project, ...fields } of facts.router)
    if (!(await heard.of(streams.router(id)))) routers.push({ ...fields, routerId: id, projectId: project as never });
  const interfaces = [];
  for (const { id, router, network, subnet, ip, mac } of facts['router-interface'])
    if (await heard.mayTakePort(id))
      interfaces.push({ routerId: router, portId: id, networkId: network, subnetId: subnet, ip, mac });
  const servers = [];
  for (const server of facts.server)
    if (!(await heard.of(streams.server(server.id)))) servers.push(await adoptedServer(server, ports, bindings, heard));

  return {
    steps: [
      ...inParts(networks, AT_ONCE.networks).map((part) => ({ ...nothing, networks: part })),
      ...inParts(subnets, AT_ONCE.subnets).map((part) => ({ ...nothing, subnets: part })),
      ...inParts(routers, AT_ONCE.routers).map((part) => ({ ...nothing, routers: part })),
      ...inParts(interfaces, AT_ONCE.interfaces).map((part) => ({ ...nothing, interfaces: part })),
      ...inParts(servers, AT_ONCE.servers).map((part) => ({ ...nothing, servers: part })),
    ],
    conflicts,
  };
}

async function adoptedServer(
  { id, project, name, zone, vcpus, ramMb, diskGb, image, ports: wanted }: ServerFact,
  ports: ReadonlyMap<string, PortFact>,
  bindings: ReadonlyMap<string, FactBody<'binding'>>,
  heard: Heard,
): Promise<AdoptResources['servers'][number]> {
  const adopted = [];
  for (const portId of wanted) {
    const port = ports.get(portId);
    if (!port) continue;
    const binding = bindings.get(portId);
    adopted.push({
      ...{ portId, networkId: port.network, projectId: port.project as never, name: port.name, mac: port.mac },
      isKnown: await heard.of(streams.port(portId)),
      binding: binding ? { host: binding.host, endpoint: binding.endpoint } : null,
      fixedIps: port.fixedIps.map(({ subnet, ip }) => ({ subnetId: subnet, ip })),
      adminStateUp: port.adminStateUp,
      portSecurityEnabled: port.portSecurity,
    });
  }
  const size = { vcpus, ramMb, diskGb };
  const known = FLAVORS.find((flavor) => flavor.vcpus === vcpus && flavor.ramMb === ramMb && flavor.diskGb === diskGb);
  return {
    ...{ serverId: id, projectId: project as never, name, zone, imageId: image },
    flavor: { id: known?.id ?? 'adopted', name: known?.name ?? 'adopted', ...size },
    ports: adopted,
  };
}

type Facts = { readonly [K in FactKind]: FactBody<K>[] };

/** By kind, as agreed. */
function readable(facts: readonly HeldFact[]): {
  readonly facts: Facts;
  readonly conflicts: readonly AdoptionConflict[];
} {
  const byKind: Facts = {
    network: [],
    subnet: [],
    router: [],
    'router-interface': [],
    port: [],
    server: [],
    binding: [],
    departure: [],
  };
  const conflicts: AdoptionConflict[] = [];
  for (const { kind, id, body } of facts) {
    const parsed = Object.hasOwn(factSchemas, kind) ? factSchemas[kind as FactKind].safeParse(body) : undefined;
    if (parsed?.success) (byKind[kind as FactKind] as unknown[]).push(parsed.data);
    else conflicts.push({ kind, id, message: 'It is in a form that this Top does not know.' });
  }
  return { facts: byKind, conflicts };
}

/** What the log has ever heard of. */
class Heard {
  constructor(private readonly log: Pick<CommandLog, 'readStream'>) {}

  async of(stream: string): Promise<boolean> {
    return (await this.log.readStream(stream)).length > 0;
  }

  async ofSubnet(network: NetworkId, subnet: string): Promise<boolean> {
    const events = await this.log.readStream(streams.network(network));
    return events.some(({ data }) => data['subnetId'] === subnet);
  }

  /** It never was here, or is, and belongs to nothing. */
  async mayTakePort(port: PortId): Promise<boolean> {
    const events = await this.log.readStream(streams.port(port));
    const state = fold(
      portDecider,
      events.map((event) => parseEvent(event) as unknown as PortEvent),
    );
    return events.length === 0 || (state.exists && !state.deleting && state.deviceId === '');
  }
}

function inParts<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, n) => items.slice(n * size, (n + 1) * size));
}
