import { reopenNetwork, reopenSubnet, type Transaction } from '@weir/domain';
import type { EventStore, RowReader } from '@weir/event-store';
import type { NetworkId, SubnetId } from '@weir/kernel';

/** A process that died between closing a network or subnet and deleting it left it closed: every start opens what it finds so. */
export async function endClosings(
  store: EventStore,
  rows: RowReader,
  run: (command: () => Transaction<void>) => Promise<unknown>,
): Promise<void> {
  for (const row of rows.live('rm_networks', { closing: 1 })) {
    const networkId = row['id'] as NetworkId;
    const closing = await closings(store, networkId, 'NetworkClosing');
    await run(() => reopenNetwork({ networkId, closing }));
  }
  for (const row of rows.live('rm_subnets', { closing: 1 })) {
    const [networkId, subnetId] = [row['network_id'] as NetworkId, row['id'] as SubnetId];
    const closing = await closings(store, networkId, 'SubnetClosing', subnetId);
    await run(() => reopenSubnet({ networkId, subnetId, closing }));
  }
}

/** How often it was closed: the number that the last closing has. */
async function closings(store: EventStore, network: NetworkId, type: string, subnet?: SubnetId): Promise<number> {
  const events = await store.readStream(`network-${network}`);
  return events.filter((event) => event.type === type && (subnet === undefined || event.data['subnetId'] === subnet))
    .length;
}
