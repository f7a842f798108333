import { VirtualTime } from '@weir/testing/time';
import { silentLogger } from '@weir/kernel';
import { describeCascade, describeFactStore, describeSliceStore } from '../contract';
import { MemoryFactStore } from './fact-store';
import { MemorySlice } from './slice';
import { MemoryTransport } from './transport';

describeFactStore('MemoryFactStore', () => new MemoryFactStore({ generation: 1 }));

describeSliceStore('MemorySlice', () => ({ slice: new MemorySlice() }));

describeCascade(
  'memory',
  () => ({
    time: new VirtualTime(),
    store: new MemoryFactStore({ generation: 1 }),
    transport: (publisher) => new MemoryTransport(publisher, silentLogger),
    dispose: () => undefined,
  }),
  { histories: 60 },
);
