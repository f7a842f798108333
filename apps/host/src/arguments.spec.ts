import { argumentsOf } from './arguments';

const GIVEN: Readonly<Record<string, string>> = {
  ...{ bottom: 'http://127.0.0.1:9771', token: 'secret', name: 'paris-1', zone: 'a' },
  ...{ vcpus: '8', 'ram-mb': '16384', 'disk-gb': '100', hypervisor: 'namespace' },
  ...{ ovsdb: 'unix:/run/ovs/db.sock', netns: 'paris', 'tunnel-ip': '198.51.100.1', state: '/var/lib/weir' },
};

/** `undefined` takes a flag away. */
function parse(changes: Readonly<Record<string, string | undefined>> = {}) {
  const flags = Object.entries({ ...GIVEN, ...changes });
  return argumentsOf(flags.flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`])));
}

describe('the flags of weir-host', () => {
  it('say who the host is and where everything lies', () => {
    expect(parse()).toEqual({
      ...{ bottom: 'http://127.0.0.1:9771', token: 'secret', netns: 'paris', state: '/var/lib/weir' },
      host: {
        ...{ name: 'paris-1', zone: 'a', vcpus: 8, ramMb: 16_384, diskGb: 100, hypervisor: 'namespace' },
        endpoint: '198.51.100.1',
      },
      ...{ ovsdb: '/run/ovs/db.sock', openflow: '/run/ovs/br-int.mgmt' },
      bridge: { name: 'br-int', datapathType: 'netdev' },
    });
  });

  it('may name another bridge, datapath and OpenFlow socket', () => {
    expect(parse({ bridge: 'br-weir', datapath: 'system' })).toMatchObject({
      openflow: '/run/ovs/br-weir.mgmt',
      bridge: { name: 'br-weir', datapathType: 'system' },
    });
    expect(parse({ openflow: 'unix:/run/other.mgmt' })?.openflow).toBe('/run/other.mgmt');
  });

  it('may ask for help', () => expect(argumentsOf(['--help'])).toBeUndefined());

  it.each([
    [{ token: undefined }, '--token is missing.'],
    [{ vcpus: 'many' }, '--vcpus is a whole number from 1 on.'],
    [{ 'ram-mb': '0' }, '--ram-mb is a whole number from 1 on.'],
    [{ 'disk-gb': '-1' }, '--disk-gb is a whole number from 0 on.'],
    [{ hypervisor: 'qemu' }, "--hypervisor 'qemu' is not possible here: 'namespace' is."],
    [{ datapath: 'dpdk' }, '--datapath is netdev or system.'],
    [{ ovsdb: '/run/ovs/db.sock' }, '--ovsdb is unix: and the absolute path of a socket.'],
    [{ ovsdb: 'unix:db.sock' }, '--ovsdb is unix: and the absolute path of a socket.'],
    [{ netns: '../etc' }, "--netns '../etc' is not a name."],
    [{ name: 'two words' }, "--name 'two words' is not a name."],
    [{ bridge: 'a-name-that-is-too-long' }, 'cannot be the name of a bridge'],
    [{ bottom: 'ftp://x' }, "--bottom 'ftp://x' is not an http URL."],
    [{ 'tunnel-ip': '300.1.1.1' }, "'300.1.1.1' is not a valid IP address."],
    [{ 'tunnel-ip': 'fd00::1' }, '--tunnel-ip is an IPv4 address.'],
    [{ zone: 'z'.repeat(256) }, '--zone has at most 255 characters.'],
    [{ speed: 'fast' }, "Unknown option '--speed'"],
  ])('are refused: %j', (changes, message) => expect(() => parse(changes)).toThrow(message));
});
