import type { FlowChange } from '@weir/openflow';
import { MemorySwitch } from './index';

const NOTHING: FlowChange = {
  ...{ add: [], modify: [], remove: [], addGroups: [], modifyGroups: [], removeGroups: [] },
  ...{ addMeters: [], removeMeters: [] },
};

describe('a switch in memory', () => {
  it.each([
    ['keeps every change for tests that ask for them', { keepsCommits: true }, [NOTHING, NOTHING]],
    ['keeps none otherwise, however long it is there', {}, []],
  ])('%s', (_, options, kept) => {
    const memory = new MemorySwitch(options);
    memory.commit(NOTHING);
    memory.commit(NOTHING);
    expect(memory.commits).toEqual(kept);
  });
});
