import { Journal } from '@weir/cascade';
import { seededRandom } from '@weir/cascade/contract';
import { MemoryFactStore, MemorySlice } from '@weir/cascade/memory';
import { silentLogger } from '@weir/kernel';
import { VirtualTime } from '@weir/testing/time';
import { Hosts } from './hosts';
import { MemorySiteRecords } from './memory-records';
import { Site } from './site';

const SERVER = '00000001-0000-4000-8000-000000000001';
const DAY_MS = 24 * 3_600_000;

function siteWhereOneIsGone() {
  const time = new VirtualTime();
  const records = new MemorySiteRecords();
  records.putGone({ kind: 'server', id: SERVER, position: 5, at: time.now() });
  const nothing = () => undefined;
  const site = new Site({
    name: () => 'paris',
    slice: new MemorySlice(),
    journal: new Journal(new MemoryFactStore({ generation: 1 }), time, seededRandom(1)),
    records,
    hosts: new Hosts({ records, token: 't', generation: () => 1, clock: time }),
    clock: time,
    logger: silentLogger,
    recovering: false,
    outlets: { published: nothing, startedOver: nothing, observed: nothing, settled: nothing },
  });
  const told = () => site.observations(true).filter(({ id }) => id === SERVER);
  return { time, told };
}

describe('R14: what a site has seen gone', () => {
  it('is told a Top that connects, for a day', async () => {
    const { time, told } = siteWhereOneIsGone();
    expect(told()).toMatchObject([{ kind: 'server', value: { status: 'gone' } }]);
    await time.advance(DAY_MS - 1000);
    expect(told()).toHaveLength(1);
    await time.advance(1000);
    expect(told()).toEqual([]);
  });

  it.each([-30, 30])('is not forgotten where the clock on the wall jumps by %i days', (days) => {
    const { time, told } = siteWhereOneIsGone();
    expect(told()).toHaveLength(1);
    time.jump(days * DAY_MS);
    expect(told()).toHaveLength(1);
  });
});
