import type { Timers } from '@weir/kernel';
import { describeEventStore, type OpenedStore } from '../contract';
import type { View } from '../view';
import { MemoryEventStore, type MemoryLog } from './index';

function open(views: readonly View[], timers?: Timers, log?: MemoryLog): Promise<OpenedStore> {
  const store = new MemoryEventStore({ views, ...(timers && { timers }), ...(log && { log }) });
  const reopen = async (others: readonly View[] = views) => {
    await store.close();
    return open(others, timers, store.log);
  };
  return Promise.resolve({ store, reader: store.reader, reopen });
}

describeEventStore('MemoryEventStore', open);
