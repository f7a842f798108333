import { systemClock, systemTimers } from '@weir/kernel';
import {
  BridgeNotOurs,
  type BridgeRequest,
  NoSuchBridge,
  PortFailed,
  PortNotOurs,
  type SwitchDatabase,
  type SwitchPort,
} from '../vswitch';

export interface SwitchUnderTest {
  readonly database: SwitchDatabase;
  /** A device that a system port can use. */
  addDevice(name: string): Promise<void>;
  /** Made by somebody else, without our mark. */
  addForeignBridge(name: string): Promise<void>;
  addForeignPort(bridge: string, name: string): Promise<void>;
  close(): Promise<void>;
}

const BRIDGE: BridgeRequest = {
  name: 'br-int',
  datapathType: 'netdev',
  failMode: 'secure',
  externalIds: { site: 'paris' },
};
const TUNNEL = {
  bridge: 'br-int',
  name: 'weir-vxlan',
  type: 'vxlan',
  options: { remote_ip: 'flow', key: 'flow' },
  externalIds: {},
} as const;
const DEADLINE_MS = 10_000;

/** What every SwitchDatabase holds. */
export function describeSwitchDatabase(name: string, open: () => Promise<SwitchUnderTest>): void {
  describe(name, () => {
    let world: SwitchUnderTest;
    let database: SwitchDatabase;
    let seen: (readonly SwitchPort[])[];

    beforeEach(async () => {
      world = await open();
      database = world.database;
      seen = [];
      database.onPortsChanged((ports) => seen.push(ports));
    });
    afterEach(() => world.close());

    const withBridge = (): Promise<void> => database.ensureBridge(BRIDGE);
    const port = (device: string, externalIds: Record<string, string> = {}) => ({
      bridge: 'br-int',
      name: device,
      externalIds,
    });
    const portNamed = (device: string): SwitchPort | undefined => database.ports().find((each) => each.name === device);

    it('makes a bridge once, and nothing when asked again', async () => {
      await withBridge();
      await withBridge();
      expect(database.bridgeExternalIds('br-int')).toEqual({ site: 'paris' });
      expect(database.ports()).toEqual([]);
    });

    it('keeps external ids of a bridge that are not named', async () => {
      await withBridge();
      await database.setBridgeExternalIds('br-int', { 'zone-1': '7', 'zone-2': '8', site: 'tokyo' });
      await database.setBridgeExternalIds('br-int', { 'zone-1': null, 'zone-2': '9', never: null });
      await database.ensureBridge({ ...BRIDGE, externalIds: { row: 'A' } });
      expect(database.bridgeExternalIds('br-int')).toEqual({ site: 'tokyo', row: 'A', 'zone-2': '9' });
    });

    it('does not let its mark be written', async () => {
      await withBridge();
      await expect(database.setBridgeExternalIds('br-int', { 'weir-owner': null })).rejects.toMatchObject({
        reason: 'invalid',
      });
    });

    it("leaves somebody else's bridge alone, and says so", async () => {
      await world.addForeignBridge('br-int');
      await expect(withBridge()).rejects.toThrow(BridgeNotOurs);
      await expect(withBridge()).rejects.toThrow('Bridge br-int exists without the mark weir-owner');
      await expect(database.ensurePort(TUNNEL)).rejects.toThrow(BridgeNotOurs);
      await expect(database.setBridgeExternalIds('br-int', { a: 'b' })).rejects.toThrow(BridgeNotOurs);
      expect(database.bridgeExternalIds('br-int')).toEqual({});
    });

    it('has nothing to say about a bridge that does not exist', async () => {
      await expect(database.ensurePort(TUNNEL)).rejects.toThrow(NoSuchBridge);
      await expect(database.setBridgeExternalIds('br-int', { a: 'b' })).rejects.toThrow(NoSuchBridge);
      expect(database.bridgeExternalIds('br-int')).toEqual({});
    });

    it('gives a port its number, the same when asked again', async () => {
      await withBridge();
      await world.addDevice('w0000000001');
      const ofport = await database.ensurePort(port('w0000000001', { 'iface-id': 'a' }));
      expect(ofport).toBeGreaterThan(0);
      await expect(database.ensurePort(port('w0000000001', { 'iface-id': 'a' }))).resolves.toBe(ofport);
      expect(database.ports()).toEqual([
        {
          bridge: 'br-int',
          name: 'w0000000001',
          type: 'system',
          ofport,
          externalIds: { 'iface-id': 'a' },
          owned: true,
        },
      ]);
    });

    it('gives a port the number that is asked for', async () => {
      await withBridge();
      await expect(database.ensurePort({ ...TUNNEL, ofportRequest: 100 })).resolves.toBe(100);
      expect(portNamed('weir-vxlan')).toMatchObject({ type: 'vxlan', ofport: 100 });
    });

    it('changes the external ids of a port without changing its number', async () => {
      await withBridge();
      await world.addDevice('w0000000001');
      const ofport = await database.ensurePort(port('w0000000001', { 'iface-id': 'a', gone: 'x' }));
      await expect(database.ensurePort(port('w0000000001', { 'iface-id': 'b' }))).resolves.toBe(ofport);
      expect(portNamed('w0000000001')?.externalIds).toEqual({ 'iface-id': 'b' });
    });

    it('takes many ports at once, each with its own number', async () => {
      await withBridge();
      const names = Array.from({ length: 10 }, (_none, i) => `w000000000${i}`);
      for (const device of names) await world.addDevice(device);
      const ofports = await Promise.all(names.map((device) => database.ensurePort(port(device))));
      expect(new Set(ofports).size).toBe(10);
      expect(database.ports().map((each) => each.name)).toEqual(names);
    });

    it('takes one port when it is asked for twice at once', async () => {
      await withBridge();
      const [first, second] = await Promise.all([database.ensurePort(TUNNEL), database.ensurePort(TUNNEL)]);
      expect(first).toBe(second);
      expect(database.ports()).toHaveLength(1);
    });

    it('says why a port cannot be used, and takes it when its device has come', async () => {
      await withBridge();
      await expect(database.ensurePort(port('w0000000001'))).rejects.toThrow(PortFailed);
      await expect(database.ensurePort(port('w0000000001'))).rejects.toThrow('No such device');
      expect(portNamed('w0000000001')?.owned).toBe(true);
      expect(portNamed('w0000000001')?.error).toContain('No such device');
      expect(portNamed('w0000000001')?.ofport).toBeUndefined();
      await world.addDevice('w0000000001');
      const ofport = await database.ensurePort(port('w0000000001'));
      expect(portNamed('w0000000001')).toMatchObject({ ofport });
      expect(portNamed('w0000000001')?.error).toBeUndefined();
    });

    it('removes a port, and nothing when asked again', async () => {
      await withBridge();
      await database.ensurePort(TUNNEL);
      await database.removePort(TUNNEL);
      expect(database.ports()).toEqual([]);
      await database.removePort(TUNNEL);
      await expect(database.ensurePort(TUNNEL)).resolves.toBeGreaterThan(0);
    });

    it("shows somebody else's port on our bridge, and leaves it alone", async () => {
      await withBridge();
      await world.addDevice('theirs');
      await world.addForeignPort('br-int', 'theirs');
      await eventually(() => portNamed('theirs')?.ofport !== undefined);
      expect(portNamed('theirs')).toMatchObject({ owned: false });
      await expect(database.removePort(port('theirs'))).rejects.toThrow(PortNotOurs);
      await expect(database.ensurePort(port('theirs'))).rejects.toThrow(PortNotOurs);
      expect(portNamed('theirs')).toMatchObject({ owned: false });
    });

    it('does not take or remove a port that is on another bridge', async () => {
      await withBridge();
      await world.addForeignBridge('br-phy');
      await world.addDevice('theirs');
      await world.addForeignPort('br-phy', 'theirs');
      await expect(database.ensurePort(port('theirs'))).rejects.toThrow(PortNotOurs);
      await expect(database.removePort(port('theirs'))).rejects.toThrow('Port theirs exists on bridge br-phy');
      expect(database.ports()).toEqual([]);
    });

    it('tells when its ports change, and only then', async () => {
      await withBridge();
      const ofport = await database.ensurePort(TUNNEL);
      expect(seen.at(-1)).toEqual(database.ports());
      expect(seen.at(-1)).toMatchObject([{ name: 'weir-vxlan', ofport }]);
      const told = seen.length;
      await database.ensurePort(TUNNEL);
      await database.setBridgeExternalIds('br-int', { a: 'b' });
      await database.ensureBridge(BRIDGE);
      expect(seen).toHaveLength(told);
      await database.removePort(TUNNEL);
      expect(seen.at(-1)).toEqual([]);
    });

    it('can always end a flow-restore-wait', async () => {
      await database.clearFlowRestoreWait();
      await database.clearFlowRestoreWait();
    });
  });
}

/** Resolves once `holds` does; what others do to the switch arrives later. */
async function eventually(holds: () => boolean): Promise<void> {
  const deadline = systemClock.monotonic() + DEADLINE_MS;
  while (!holds()) {
    if (systemClock.monotonic() > deadline) throw new Error(`Not within ${DEADLINE_MS} ms: ${holds.toString()}`);
    await systemTimers.sleep(20);
  }
}
