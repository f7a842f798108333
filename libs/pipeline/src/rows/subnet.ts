import type { Subnet } from '../resolve';
import type { Row } from '../row';
import { arpResponder } from './arp';

export function subnetRows(subnet: Subnet, hasLocalMembers: boolean): Row[] {
  if (!subnet.dhcp || !hasLocalMembers) return [];
  return [arpResponder(subnet.networkKey, subnet.dhcp.ip, subnet.dhcp.mac)];
}
