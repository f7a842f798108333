import {
  type AddressChoice,
  type AllocationPool,
  candidateMac,
  candidateSegment,
  IpAddressGenerationFailure,
  type MacChoice,
  NoNetworkAvailable,
  pickAddress,
  type Segment,
  type SegmentType,
} from '@weir/domain';
import type { Row, RowReader } from '@weir/event-store';
import { type Ip, ipv4ToNumber, type Mac, type NetworkId, type Random, type SubnetId } from '@weir/kernel';
import { chosen } from '../orchestration/scope';

/** Of pools up to this size the taken addresses are read at once; in larger ones a few single addresses are looked up. */
const READ_WHOLE = 4096;

/** Candidates, drawn at random from what the read models show free: only the append decides, and a lost race draws again. */
export class Picks {
  constructor(
    private readonly rows: RowReader,
    private readonly random: Random,
  ) {}

  /** One free address of the network: of its first subnet that has one. A network without subnets gives none. Throws IpAddressGenerationFailure. */
  address(network: NetworkId): readonly AddressChoice[] {
    return chosen('addresses', () => this.anyAddress(network));
  }

  addressIn(network: NetworkId, subnet: SubnetId): AddressChoice {
    return chosen('address', () => {
      const ip = this.candidate(subnet);
      if (ip === undefined) throw new IpAddressGenerationFailure(network);
      return { subnetId: subnet, ip, picked: true };
    });
  }

  /** For the DHCP server of a subnet that loses its gateway; undefined where none is free. */
  free(subnet: SubnetId): Ip | undefined {
    return chosen('free', () => this.candidate(subnet) ?? null) ?? undefined;
  }

  mac(asked: Mac | undefined): MacChoice {
    return asked === undefined ? { mac: this.newMac(), picked: true } : { mac: asked, picked: false };
  }

  newMac(): Mac {
    return chosen('mac', () => candidateMac(this.random));
  }

  segment(type: SegmentType, key: number | undefined): Segment & { readonly picked: boolean } {
    if (key !== undefined) return { type, key, picked: false };
    return chosen('segment', () => {
      const segment = candidateSegment(
        type,
        (candidate) => this.rows.get('rm_segments', { segment_type: type, segment_key: candidate }) !== undefined,
        this.random,
      );
      if (!segment) throw new NoNetworkAvailable();
      return { ...segment, picked: true };
    });
  }

  private anyAddress(network: NetworkId): readonly AddressChoice[] {
    const subnets = this.rows.live('rm_subnets', { network_id: network });
    if (subnets.length === 0) return [];
    for (const subnet of subnets) {
      const ip = this.freeIn(subnet);
      if (ip !== undefined) return [{ subnetId: subnet['id'] as SubnetId, ip, picked: true }];
    }
    throw new IpAddressGenerationFailure(network);
  }

  private candidate(subnet: SubnetId): Ip | undefined {
    const row = this.rows.get('rm_subnets', { id: subnet });
    return row && this.freeIn(row);
  }

  private freeIn(subnet: Row): Ip | undefined {
    const pools = subnet['allocation_pools'] as unknown as readonly AllocationPool[];
    const taken = this.taken(subnet['id'] as SubnetId, sizeOf(pools));
    return pickAddress({ pools, taken, random: this.random });
  }

  private taken(subnet: SubnetId, size: number): ReadonlySet<Ip> | ((ip: Ip) => boolean) {
    if (size <= READ_WHOLE) {
      return new Set(this.rows.live('rm_addresses', { subnet_id: subnet }).map((row) => row['ip_address'] as Ip));
    }
    return (ip) => this.rows.get('rm_addresses', { subnet_id: subnet, ip_address: ip }) !== undefined;
  }
}

function sizeOf(pools: readonly AllocationPool[]): number {
  return pools.reduce((sum, { start, end }) => sum + ipv4ToNumber(end) - ipv4ToNumber(start) + 1, 0);
}
