import type { Ip, Mac } from '@weir/kernel';
import { ARP_REPLY, ARP_REQUEST } from '@weir/packet';
import { ETH_ARP, ipv4, mac, match, move, output, type Row, row, set } from '../row';

/** Answers who has an address, in flow and out of the port that asked. */
export function arpResponder(networkKey: number, address: Ip, owner: Mac): Row {
  return row(
    'SERVICES',
    100,
    match({ metadata: networkKey, eth_type: ETH_ARP, arp_op: ARP_REQUEST, arp_tpa: ipv4(address) }),
    [
      move('eth_src', 'eth_dst'),
      set('eth_src', mac(owner)),
      set('arp_op', ARP_REPLY),
      move('arp_sha', 'arp_tha'),
      move('arp_spa', 'arp_tpa'),
      set('arp_sha', mac(owner)),
      set('arp_spa', ipv4(address)),
      output('in_port'),
    ],
  );
}
