import { describeEventStore, type OpenedStore } from '../contract';
import type { View } from '../view';
import { MemoryEventStore, type MemoryLog } from './index';

function open(views: readonly View[], log?: MemoryLog): Promise<OpenedStore> {
  const store = new MemoryEventStore(log ? { views, log } : { views });
  const reopen = async (others: readonly View[] = views) => {
    await store.close();
    return open(others, store.log);
  };
  return Promise.resolve({ store, reader: store.reader, reopen });
}

describeEventStore('MemoryEventStore', open);
