import { parseIp, silentLogger, systemRandom } from '@weir/kernel';
import { makeKey, Publisher } from '@weir/cascade';
import { memoryLink, MemoryFactStore, MemoryMembership, MemorySlice } from '@weir/cascade/memory';
import { STATE_HOLDING } from '@weir/local-controller';
import { MemoryControllerState, MemoryInstances, MemorySwitch } from '@weir/local-controller/memory';
import { MemorySwitchDatabase } from '@weir/ovsdb/memory';
import { VirtualTime } from '@weir/testing/time';
import { Host } from './host';

describe('a Host', () => {
  const key = makeKey(systemRandom);
  let time: VirtualTime;
  let publisher: Publisher | undefined;
  let host: Host;
  let joins: number;

  /** A Bottom that knows nobody yet. */
  function bottom(): Publisher {
    const membership = new MemoryMembership(() => 1);
    membership.invite('token', 'paris-1');
    return new Publisher({
      name: 'bottom',
      facts: new MemoryFactStore({ generation: 1 }),
      membership,
      events: { reported: () => Promise.resolve(), reachability: () => undefined, diverged: () => undefined },
      ...{ clock: time, timers: time, random: systemRandom, logger: silentLogger },
    });
  }

  function start(token: string): Promise<void> {
    const system = { clock: time, timers: time, random: systemRandom, logger: silentLogger };
    host = new Host({
      host: {
        ...{ name: 'paris-1', zone: 'a', vcpus: 1, ramMb: 1, diskGb: 1, hypervisor: 'namespace' },
        endpoint: parseIp('198.51.100.1'),
      },
      bridge: { name: 'br-int', datapathType: 'netdev' },
      slice: new MemorySlice({ stateHolding: STATE_HOLDING }),
      state: new MemoryControllerState(),
      database: new MemorySwitchDatabase(),
      connect: () => new MemorySwitch().connect(),
      instances: new MemoryInstances(),
      transport: memoryLink(() => publisher, system),
      ...{ token, key, hasJoined: false, joined: () => joins++ },
      ...system,
    });
    return host.start();
  }

  beforeEach(() => {
    time = new VirtualTime();
    publisher = undefined;
    joins = 0;
  });
  afterEach(async () => {
    await host.stop();
    publisher?.close();
  });

  it('programs its switch while its Bottom is away, and joins when it comes', async () => {
    const started = start('token');
    await time.until(() => host.controller.status().flows > 0 && host.controller.status().inSync);
    expect(joins).toBe(0);
    publisher = bottom();
    await time.until(() => joins === 1);
    await started;
    await time.until(() => publisher?.status('paris-1').connected === true);
  });

  it('gives up when its Bottom refuses it', async () => {
    publisher = bottom();
    const refused = expect(start('wrong')).rejects.toThrow('The join token is unknown');
    await time.advance(1_000);
    await refused;
  });

  it('joins again a Bottom that has lost what it knew', async () => {
    publisher = bottom();
    const started = start('token');
    await time.until(() => publisher?.status('paris-1').connected === true);
    await started;
    publisher.close();
    publisher = bottom();
    await time.until(() => publisher?.status('paris-1').connected === true);
  });
});
