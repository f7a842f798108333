import type { Flow } from '@weir/openflow';
import { type Ip, ipv4ToNumber, type Mac } from '@weir/kernel';
import { datagram } from '@weir/testing/topology';
import { Fabric, type FabricHost } from './fabric';
import { SwitchModel } from './switch-model';

const TUNNEL = 1;
const PORT = 2;
const frame = datagram(
  { mac: 'fa:16:3e:00:00:0a' as Mac, ip: '10.0.0.1' as Ip },
  { mac: 'fa:16:3e:00:00:0b' as Mac, ip: '10.0.0.2' as Ip },
);

/** A host that sends all that comes, wherever from, into the tunnel to `next`, or to its port where there is none. */
function host(name: string, endpoint: string, next?: string): FabricHost {
  const onward = (to: string): Flow['actions'] => [
    { type: 'set_field', field: 'in_port', value: 0n },
    { type: 'set_field', field: 'tun_id', value: 5n },
    { type: 'set_field', field: 'tun_dst', value: BigInt(ipv4ToNumber(to as Ip)) },
    { type: 'output', port: TUNNEL },
  ];
  const actions = next === undefined ? [{ type: 'output', port: PORT } as const] : onward(next);
  const flows = [{ table: 0, priority: 1, cookie: 1n, match: {}, actions }];
  const ports = [{ number: TUNNEL, tunnel: true }, { number: PORT }];
  return { name, endpoint: endpoint as Ip, tunnelPort: TUNNEL, switch: new SwitchModel({ flows, groups: [], ports }) };
}

describe('a fabric', () => {
  it('takes a frame through tunnels to a port, and tells each hop', () => {
    const fabric = new Fabric([host('a', '198.51.100.1', '198.51.100.2'), host('b', '198.51.100.2')]);
    const journey = fabric.send('a', PORT, frame);
    expect(journey.deliveries).toEqual([{ host: 'b', port: PORT, frame }]);
    expect(journey.hops.map((hop) => [hop.host, hop.arrival.tunnel])).toEqual([
      ['a', undefined],
      ['b', { id: 5, src: '198.51.100.1' }],
    ]);
  });

  it('lists frames for endpoints that nobody has', () => {
    const journey = new Fabric([host('a', '198.51.100.1', '198.51.100.9')]).send('a', PORT, frame);
    expect(journey.lost).toMatchObject([{ host: 'a', output: { tunnel: { id: 5, dst: '198.51.100.9' } } }]);
    expect(journey.deliveries).toEqual([]);
  });

  it('ends a frame that goes round, and says so', () => {
    const fabric = new Fabric([host('a', '198.51.100.1', '198.51.100.2'), host('b', '198.51.100.2', '198.51.100.1')]);
    expect(fabric.send('a', PORT, frame).looped).toBe(true);
  });

  it('knows its hosts only', () => {
    expect(() => new Fabric([]).send('nowhere', PORT, frame)).toThrow("No host is called 'nowhere'.");
  });
});
