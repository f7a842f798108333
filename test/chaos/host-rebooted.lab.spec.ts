import { capture, inject, ovsOfctl, ovsVsctl, ping, waitFor } from '@weir/lab';
import type { Instance } from '@weir/lab/deployment';
import { LabWorld } from './lab-world';

const HOST = 'paris-1';
const FOREIGN = 'br-foreign';
const FRAMES = 50;
const IPV4_UDP = Buffer.concat([Buffer.from('0800', 'hex'), Buffer.alloc(60, 0x45)]);

jest.setTimeout(90_000);

const bytesOf = (mac: string): Buffer => Buffer.from(mac.replaceAll(':', ''), 'hex');

describe('a host that is rebooted', () => {
  let world: LabWorld;
  let instances: readonly Instance[];

  beforeAll(async () => {
    world = await LabWorld.start();
    instances = await world.boot({
      one: ['Paris:paris-a', 'blue'],
      two: ['Paris:paris-a', 'blue'],
      three: ['Paris:paris-a', 'red'],
    });
  });
  afterAll(() => world.stop());

  const host = () => world.lab.host(HOST);
  const find = (name: string): Instance => {
    const found = instances.find((instance) => instance.name === name);
    if (!found) throw new Error(`${name} is not there.`);
    return found;
  };
  const reaches = async (from: string, to: string): Promise<boolean> =>
    (await ping(find(from).netns, find(to).ip, { count: 2, timeoutMs: 500 })).received > 0;

  /** Everything about a bridge that an operator could have set, and its flows. */
  async function bridge(name: string): Promise<string> {
    const columns = ['list', 'bridge', name];
    const [row, ports, flows] = await Promise.all([
      ovsVsctl(host(), columns),
      ovsVsctl(host(), ['list-ports', name]),
      ovsOfctl({ openflow: `${host().rundir}/${name}.mgmt` }, ['--no-stats', 'dump-flows']),
    ]);
    return [row, ports, flows].join('\n');
  }

  async function reboot(): Promise<void> {
    await world.weir.process(`host-${HOST}`).kill();
    await world.lab.killVswitchd(HOST);
    await world.lab.killOvsdbServer(HOST);
    await world.lab.startOvsdbServer(HOST);
    await world.lab.startVswitchd(HOST);
  }

  /** How many of the frames that `from` sends, to `to` and to everybody, come to `to`. */
  async function delivered(from: Instance, to: Instance): Promise<number> {
    const seen = await capture(to.netns, to.interface, ({ direction }) => direction === 'in');
    const unicast = Buffer.concat([bytesOf(to.mac), bytesOf(from.mac), IPV4_UDP]);
    const broadcast = Buffer.concat([Buffer.alloc(6, 0xff), bytesOf(from.mac), IPV4_UDP]);
    await inject(from.netns, from.interface, Array.from({ length: FRAMES }, () => [unicast, broadcast]).flat());
    // The last one is sent; whatever goes through is through before an answer to this comes, or fails to come.
    await reaches(from.name, to.name);
    return (await seen.stop()).length;
  }

  it('has only bridges of ours that drop what no flow lets through', async () => {
    for (const each of world.lab.hosts)
      expect((await ovsVsctl(each, ['get', 'bridge', each.bridge, 'fail_mode'])).trim()).toBe('secure');
  });

  it('lets nothing through before its agent is there, everything after, and leaves others’ bridges as they were', async () => {
    await ovsVsctl(host(), ['add-br', FOREIGN, '--', 'set', 'bridge', FOREIGN, 'datapath_type=netdev']);
    await ovsVsctl(host(), ['add-port', FOREIGN, 'foreign0', '--', 'set', 'interface', 'foreign0', 'type=internal']);
    const foreign = { openflow: `${host().rundir}/${FOREIGN}.mgmt` };
    await ovsOfctl(foreign, ['add-flow', 'table=3,priority=7,cookie=0x1234,in_port=1,actions=drop']);
    const others = [FOREIGN, 'br-phy'];
    const before = await Promise.all(others.map(bridge));
    expect(await Promise.all([reaches('one', 'two'), reaches('one', 'three')])).toEqual([true, true]);
    expect(await delivered(find('one'), find('two'))).toBeGreaterThan(0);

    await reboot();
    // The same ports on the same bridge, and nobody who says what may pass.
    const ports = (await ovsVsctl(host(), ['list-ports', host().bridge])).trim().split('\n');
    expect(ports.filter((port) => port.startsWith('w') && port !== 'weir-vxlan')).toHaveLength(instances.length);
    expect(await ovsOfctl(host(), ['--no-stats', 'dump-flows'])).not.toContain('priority');
    expect((await ovsVsctl(host(), ['get', 'bridge', host().bridge, 'fail_mode'])).trim()).toBe('secure');
    for (const [from, to] of [
      ['one', 'two'],
      ['one', 'three'],
      ['three', 'two'],
    ] as const)
      expect({ from, to, delivered: await delivered(find(from), find(to)) }).toEqual({ from, to, delivered: 0 });

    await world.weir.process(`host-${HOST}`).start();
    await world.weir.waitForSettled();
    await waitFor(() => reaches('one', 'two'), { what: 'the network to work again', deadlineMs: 10_000 });
    expect(await reaches('one', 'three')).toBe(true);
    // A reboot forgets flows, whoever put them in; everything else of theirs stands.
    await ovsOfctl(foreign, ['add-flow', 'table=3,priority=7,cookie=0x1234,in_port=1,actions=drop']);
    expect(await Promise.all(others.map(bridge))).toEqual(before);
    expect(await world.orphans()).toEqual([]);
  });
});
