import {
  type CreateServer,
  createServer,
  deleteServer,
  type Flavor,
  FlavorNotFound,
  ImageNotFound,
  NoCapacity,
  type Resources,
  ServerNotFound,
  type ServerPortRequest,
  streams,
  type Transaction,
  updateServer,
} from '@weir/domain';
import type { RowReader } from '@weir/event-store';
import { conflict, invalid, type NetworkId, type PortId, type ServerId, type SiteId } from '@weir/kernel';
import { FLAVORS, type ServerCreate, type ServerModel } from '@weir/openstack-api/compute';
import { WEIR_INSTANCE } from '@weir/openstack-api/image';
import type { Asking } from '../http/request';
import { visibleRow } from '../http/listing';
import { type Caller } from '../identity/authentication';
import { Picks } from '../network/picks';
import { projectFor, visible } from '../network/scope';
import { Gateway } from '../orchestration/gateway';
import { Identifiers } from '../orchestration/identifiers';
import { chosen, tryFromHere, unlessRehearsed } from '../orchestration/scope';
import type { SiteIntake } from '../sites/intake';
import { serverModel } from './models';
import { chooseZone, type Zone } from './placement';

/** A network that the user named, or a port of their own. */
type AskedPort =
  { readonly network: NetworkId; readonly ip: ServerCreateNetwork['fixed_ip'] } | { readonly port: PortId };
type ServerCreateNetwork = Exclude<ServerCreate['networks'], string | undefined>[number];

/** Servers: created whole or not at all, deleted once their site has seen them gone. */
export class Servers {
  constructor(
    private readonly gateway: Gateway,
    private readonly picks: Picks,
    private readonly identifiers: Identifiers,
    private readonly intake: SiteIntake,
  ) {}

  /** Answers the ids at once; the rest follows below. */
  async create({ caller, origin }: Asking, body: ServerCreate): Promise<readonly ServerId[]> {
    const projectId = projectFor(caller, {});
    const flavor = flavorOf(body.flavorRef);
    const imageId = imageOf(body);
    const asked = await this.gateway.read((rows) => askedPorts(rows, caller, body.networks));
    const count = countOf(body);
    if (count > 1 && asked.some((port) => 'port' in port))
      throw invalid('A port can be given to one server only; ask for one server.');
    const serverIds = Array.from({ length: count }, () => this.identifiers.next<'server'>());
    const portIds = serverIds.map(() => asked.map(() => this.identifiers.next<'port'>()));
    const needed: Resources = {
      vcpus: flavor.vcpus * count,
      ramMb: flavor.ramMb * count,
      diskGb: flavor.diskGb * count,
    };
    const choose = () =>
      this.gateway.read((rows) => chosen('zone', () => chooseZone(rows, body.availability_zone, needed)));

    const inputs = ({ siteId, zone, availabilityZone }: Zone): readonly CreateServer[] =>
      serverIds.map((serverId, index) => ({
        serverId,
        projectId,
        userId: caller.userId,
        name: count === 1 ? body.name : `${body.name}-${index + 1}`,
        flavor,
        imageId,
        siteId,
        zone,
        availabilityZone,
        metadata: body.metadata ?? {},
        ports: asked.map((port, place): ServerPortRequest => {
          if ('port' in port) return { kind: 'existing', portId: port.port };
          const fixedIps = port.ip === undefined ? this.picks.address(port.network) : [{ ip: port.ip, picked: false }];
          return {
            kind: 'new',
            portId: portIds[index]?.[place] ?? this.identifiers.next<'port'>(),
            networkId: port.network,
            fixedIps,
            mac: this.picks.mac(undefined),
          };
        }),
      }));

    const again = tryFromHere();
    for (;;) {
      const zone = await choose();
      try {
        await this.gateway.run(origin, () => createAll(inputs(zone)), streams.capacity(zone.siteId, zone.zone));
        return serverIds;
      } catch (error) {
        // Another request was first. Where the zone is ours to choose there may be room elsewhere; the read model knows by now.
        if (!(error instanceof NoCapacity) || body.availability_zone?.includes(':')) throw error;
        again();
      }
    }
  }

  async show({ caller }: Asking, id: string): Promise<ServerModel> {
    return this.gateway.read((rows) => serverModel(rows, visibleServer(rows, id, caller)));
  }

  async update(
    asking: Asking,
    id: string,
    changes: { readonly name?: string | undefined; readonly metadata?: Readonly<Record<string, string>> | undefined },
  ): Promise<void> {
    const { id: serverId } = await this.show(asking, id);
    await this.gateway.run(asking.origin, () => updateServer({ serverId: serverId as ServerId, changes }));
  }

  async delete(asking: Asking, id: string): Promise<void> {
    const { serverId, siteId, zone, neverPublished } = await this.gateway.read((rows) => {
      const row = visibleServer(rows, id, asking.caller);
      const siteId = row['site_id'] as SiteId;
      // Its site may have been removed: a server that failed there holds nothing of it.
      const neverPublished = rows.get('rm_sites', { id: siteId }) === undefined;
      return { serverId: row['id'] as ServerId, siteId, zone: row['zone'] as string, neverPublished };
    });
    await this.gateway.run(
      asking.origin,
      () => deleteServer({ serverId, neverPublished }),
      streams.capacity(siteId, zone),
    );
    await unlessRehearsed(() => this.intake.completeDeletion(siteId, serverId));
  }
}

/** Several servers are one append: all of them or none. */
function* createAll(inputs: readonly CreateServer[]): Transaction<void> {
  for (const input of inputs) yield* createServer(input);
}

export function visibleServer(rows: RowReader, id: string, caller: Caller) {
  const row = id.length <= 64 ? visibleRow(rows, 'rm_servers', id, caller) : undefined;
  if (!row) throw new ServerNotFound(id.slice(0, 64) as ServerId);
  return row;
}

function flavorOf(reference: string): Flavor {
  const id = reference.slice(reference.lastIndexOf('/') + 1);
  const flavor = FLAVORS.find((candidate) => candidate.id === id);
  if (!flavor) throw new FlavorNotFound(reference);
  return flavor;
}

function imageOf(body: ServerCreate): string {
  const reference = body.imageRef ?? body.block_device_mapping_v2?.[0]?.uuid ?? '';
  const id = reference.slice(reference.lastIndexOf('/') + 1);
  if (id !== WEIR_INSTANCE.id) throw new ImageNotFound(reference);
  return id;
}

function countOf({ min_count: least, max_count: most }: ServerCreate): number {
  if (least !== undefined && most !== undefined && least > most) throw invalid('min_count must be <= max_count');
  return most ?? least ?? 1;
}

/** Nova's rules: no networks named means the project's only one; with several, the user must choose. */
function askedPorts(rows: RowReader, caller: Caller, networks: ServerCreate['networks']): readonly AskedPort[] {
  if (networks === 'none') return [];
  if (networks === undefined || networks === 'auto' || networks.length === 0) {
    const [only, ...others] = rows.live('rm_networks', { project_id: caller.projectId ?? '' }, { limit: 2 });
    if (others.length > 0) throw conflict('Multiple possible networks found, use a Network ID to be more specific.');
    if (!only && networks === 'auto') throw invalid('Unable to automatically allocate a network for project.');
    return only ? [{ network: only['id'] as NetworkId, ip: undefined }] : [];
  }
  return networks.map((asked): AskedPort => {
    if (asked.port !== undefined) return { port: badly(() => visible.port(rows, asked.port ?? '', caller).id) };
    return { network: badly(() => visible.network(rows, asked.uuid ?? '', caller).id), ip: asked.fixed_ip };
  });
}

/** Nova answers 400 for a network or port that is not there. */
function badly<T>(look: () => T): T {
  try {
    return look();
  } catch (cause) {
    throw invalid(cause instanceof Error ? cause.message : 'The network could not be found.', { cause });
  }
}
