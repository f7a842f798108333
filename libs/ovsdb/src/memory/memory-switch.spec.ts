import { describeSwitchDatabase } from '../contract';
import { MemorySwitchDatabase } from './index';

describeSwitchDatabase('a switch in memory', () => {
  const database = new MemorySwitchDatabase();
  return Promise.resolve({
    database,
    addDevice: (name) => Promise.resolve(database.addDevice(name)),
    addForeignBridge: (name) => Promise.resolve(database.addForeignBridge(name)),
    addForeignPort: (bridge, name) => Promise.resolve(database.addForeignPort(bridge, name)),
    close: () => Promise.resolve(),
  });
});

describe('a switch in memory that is away', () => {
  it('rejects calls, and shows what was seen last', async () => {
    const database = new MemorySwitchDatabase();
    await database.ensureBridge({
      name: 'br-int',
      datapathType: 'netdev',
      failMode: 'secure',
      externalIds: { site: 'paris' },
    });
    database.setAway(true);
    await expect(database.clearFlowRestoreWait()).rejects.toMatchObject({ reason: 'unavailable' });
    expect(database.bridgeExternalIds('br-int')).toEqual({ site: 'paris' });
  });
});
