import type { EventStore } from '@weir/event-store';

/** What every fault must leave: read models that the log gives again, version by version. */
export async function expectRebuiltEqualsLive(store: Pick<EventStore, 'checkRebuild'>): Promise<void> {
  expect(await store.checkRebuild()).toBeUndefined();
}
