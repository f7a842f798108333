import { at } from '../at';
import type { BindPort, CreatePort, OfPort, UpdatePort } from '../commands';
import { resolveAddresses } from '../network/resolve';
import { existingNetwork, openNetwork } from '../network/network';
import { open, type Transaction } from '../transaction';
import { freeAddresses, freePortAddresses, makePort, removePort, takeAddresses, takeMac } from './allocation';
import { livePort, refuseReservedOwner } from './port';

/** Without fixed IPs the port has no address, as in a network without subnets. */
export function* createPort(input: CreatePort): Transaction<void> {
  refuseReservedOwner(input.deviceOwner);
  const network = yield* open(at.network(input.networkId));
  const current = openNetwork(network.state, input.networkId);
  const fixedIps = resolveAddresses(input.networkId, current, input.fixedIps);
  yield* takeMac(input.networkId, input.mac, input.portId);
  const portSecurityEnabled = input.portSecurityEnabled ?? current.portSecurityEnabled;
  yield* makePort({ ...input, portSecurityEnabled, fixedIps, mac: input.mac.mac });
}

/** `fixedIps` is the whole new list: what stays is kept, the rest is taken and freed. */
export function* updatePort(input: UpdatePort): Transaction<void> {
  refuseReservedOwner(input.changes.deviceOwner);
  const port = yield* open(at.port(input.portId));
  const current = livePort(port.state, input.portId);
  const { fixedIps: chosen, ...others } = input.changes;
  if (chosen === undefined) return port.do({ type: 'UpdatePort', portId: input.portId, changes: others });

  const network = yield* open(at.network(current.networkId));
  const has = (ip: string) => current.fixedIps.some((fixedIp) => fixedIp.ip === ip);
  const kept = current.fixedIps.filter(({ subnetId, ip }) =>
    chosen.some((choice) => choice.ip === ip && (choice.subnetId === undefined || choice.subnetId === subnetId)),
  );
  const added = resolveAddresses(
    current.networkId,
    existingNetwork(network.state, current.networkId),
    chosen.filter(({ ip }) => !has(ip)),
  );
  const wanted = [...kept, ...added.map(({ subnetId, ip }) => ({ subnetId, ip }))];
  port.do({ type: 'UpdatePort', portId: input.portId, changes: { ...others, fixedIps: wanted } });
  yield* takeAddresses(input.portId, added);
  yield* freeAddresses(
    input.portId,
    current.fixedIps.filter((fixedIp) => !kept.includes(fixedIp)),
  );
}

/** Idempotent; a port that is gone, or going, stays as it is. */
export function* bindPort(input: BindPort): Transaction<void> {
  const port = yield* open(at.port(input.portId));
  port.do({ type: 'BindPort', ...input });
}

/** `deleted: false`: its site is told first; completePortDeletion follows when the port was seen gone. Idempotent until then. */
export function* deletePort(input: OfPort): Transaction<{ readonly deleted: boolean }> {
  const port = yield* open(at.port(input.portId));
  const before = port.state;
  port.do({ type: 'DeletePort', portId: input.portId });
  if (port.state.exists || !before.exists) return { deleted: false };
  yield* freePortAddresses(input.portId, before);
  return { deleted: true };
}

/** Its site saw it gone. Idempotent; a port that nobody deletes stays. */
export function* completePortDeletion(input: OfPort): Transaction<void> {
  const port = yield* open(at.port(input.portId));
  if (port.state.exists && port.state.deleting) yield* removePort(input.portId, port);
}
