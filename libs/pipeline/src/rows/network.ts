import type { Action, Bucket, Group } from '@weir/openflow';
import type { Ip } from '@weir/kernel';
import { CHAIN_LENGTH, MAX_BUCKETS } from '../limits';
import type { Members } from '../members';
import type { Network, Tunnel } from '../resolve';
import { group, having, ipv4, match, MULTICAST, output, resubmit, type Row, row, set, without } from '../row';
import { FROM_ANY, FROM_FABRIC, KNOWN } from '../tables';

export function toTunnel(tunnel: Tunnel, endpoint: Ip): Action[] {
  return [set('tun_id', tunnel.id), set('tun_dst', ipv4(endpoint)), output(tunnel.port)];
}

/** Frames from an instance go to all; those from the fabric to local ports only, or two hosts would send one to and fro for ever. */
type Origin = 'instance' | 'fabric';

function groupId(network: Network, origin: Origin, link = 0): number {
  return network.key * 2 * CHAIN_LENGTH + (origin === 'fabric' ? CHAIN_LENGTH : 0) + link;
}

/** One group, or a chain of them where there are more buckets than one may have: the last bucket of each leads to the next. */
function chain(network: Network, origin: Origin, buckets: readonly Bucket[]): Group[] {
  const groups: Group[] = [];
  let rest = buckets;
  do {
    const link = groups.length;
    const last = rest.length <= MAX_BUCKETS;
    const here = last ? rest : rest.slice(0, MAX_BUCKETS - 1);
    rest = rest.slice(here.length);
    const next: Bucket[] = last ? [] : [{ actions: [group(groupId(network, origin, link + 1))] }];
    groups.push({ id: groupId(network, origin, link), type: 'all', buckets: [...here, ...next] });
  } while (rest.length > 0);
  if (groups.length > CHAIN_LENGTH) throw new RangeError(`A flood of ${buckets.length} buckets does not fit.`);
  return groups;
}

/** Nothing without local members: no frame of this network is sent or taken here. */
export function networkGroups(network: Network, members: Members): Group[] {
  if (!members.hasLocal) return [];
  const local = members.localPortKeys.map((key) => ({ actions: [set('reg2', key), resubmit('DELIVER')] }));
  const { tunnel } = network;
  const fabric = tunnel ? members.endpoints.map((endpoint) => ({ actions: toTunnel(tunnel, endpoint) })) : [];
  return [...chain(network, 'instance', [...local, ...fabric]), ...chain(network, 'fabric', local)];
}

export function networkRows(network: Network, members: Members, routed: boolean): Row[] {
  const rows: Row[] = [];
  const { key, tunnel } = network;
  if (members.hasLocal) {
    const flood = (origin: Origin): Action[] => [group(groupId(network, origin))];
    if (tunnel) {
      rows.push(
        row(
          'CLASSIFY',
          100,
          match({ in_port: tunnel.port, tun_id: tunnel.id, reg0: having(KNOWN) }),
          [set('metadata', key)],
          { goto: 'SWITCH' },
        ),
      );
    }
    rows.push(
      row('SWITCH', 95, match({ metadata: key, reg0: having(FROM_FABRIC), eth_dst: MULTICAST }), flood('fabric')),
      row('SWITCH', 90, match({ metadata: key, eth_dst: MULTICAST }), flood('instance')),
    );
    if (members.unsecured) {
      rows.push(
        row('SWITCH', 20, match({ metadata: key, reg0: having(FROM_FABRIC) }), flood('fabric')),
        row('SWITCH', 20, match({ metadata: key, reg0: without(FROM_ANY) }), flood('instance')),
      );
    }
  }
  if (routed) {
    rows.push(
      row('ACL_OUT', 1, match({ metadata: key }), [], { goto: 'ROUTE' }),
      row('ACL_IN', 1, match({ metadata: key }), [], { goto: 'NAT_OUT' }),
    );
  }
  return rows;
}
