import { type NetworkId, type PortId } from '@weir/kernel';
import { at } from '../at';
import type { MacChoice } from '../commands';
import type { FixedIp, PortEvent } from '../events/index';
import { IpAddressAlreadyAllocated, MacAddressInUse } from '../network/errors';
import { CandidateTaken } from '../scarce/errors';
import { streams } from '../streams';
import { fresh, open, openAll, type Opened, type Transaction } from '../transaction';
import type { PortCommand, PortState } from './port';

/** What the commands of ports, servers, routers and subnets share: a port, and the addresses that come and go with it. */

type PortCreated = Extract<PortEvent, { type: 'PortCreated' }>['data'];
export type ChosenAddress = FixedIp & { readonly picked: boolean };
type NewPort = Omit<PortCreated, 'fixedIps'> & { readonly portId: PortId; readonly fixedIps: readonly ChosenAddress[] };

/** With its addresses; its MAC is the caller's to take, since some share their subnet's. */
export function* makePort(input: NewPort): Transaction<void> {
  const port = yield* open(fresh(at.port(input.portId)));
  port.do({ type: 'CreatePort', ...input, fixedIps: input.fixedIps.map(({ subnetId, ip }) => ({ subnetId, ip })) });
  yield* takeAddresses(input.portId, input.fixedIps);
}

export function* takeAddresses(by: PortId, chosen: readonly ChosenAddress[]): Transaction<void> {
  const addresses = yield* openAll(chosen.map(({ subnetId, ip }) => at.address(subnetId, ip)));
  chosen.forEach(({ subnetId, ip, picked }, index) => {
    const address = addresses[index];
    if (address?.state.held)
      throw picked ? new CandidateTaken(streams.address(subnetId, ip)) : new IpAddressAlreadyAllocated(ip, subnetId);
    address?.do({ type: 'Take', by });
  });
}

export function* freeAddresses(by: PortId, fixedIps: readonly FixedIp[]): Transaction<void> {
  for (const address of yield* openAll(fixedIps.map(({ subnetId, ip }) => at.address(subnetId, ip))))
    address.do({ type: 'Free', by });
}

export function* takeMac(networkId: NetworkId, { mac, picked }: MacChoice, by: string): Transaction<void> {
  const taken = yield* open(at.mac(networkId, mac));
  if (taken.state.held)
    throw picked ? new CandidateTaken(streams.mac(networkId, mac)) : new MacAddressInUse(networkId, mac);
  taken.do({ type: 'Take', by });
}

/** With its addresses, and its MAC where that is its own and not its subnet's. A port that is gone already changes nothing. */
export function* removePort(portId: PortId, port: Opened<PortState, PortCommand>): Transaction<void> {
  const { state } = port;
  if (!state.exists) return;
  port.do({ type: 'RemovePort', portId });
  yield* freePortAddresses(portId, state);
}

export function* freePortAddresses(portId: PortId, { networkId, mac, fixedIps }: PortCreated): Transaction<void> {
  yield* freeAddresses(portId, fixedIps);
  const taken = yield* open(at.mac(networkId, mac));
  taken.do({ type: 'Free', by: portId });
}
