import { cidr, given, idOf, ip, judge, Log, mac, on, sample } from '@weir/testing/domain';
import { IdInUse, InvalidInput, Ipv6NotSupported } from '../bounds';
import type { RemoveRouterInterface } from '../commands';
import type { RouterEvent } from '../events/index';
import { addSubnet, closeNetwork, closeSubnet, createNetwork } from '../network/commands';
import {
  IpAddressAlreadyAllocated,
  NetworkBeingDeleted,
  NetworkNotFound,
  SubnetBeingDeleted,
  SubnetNotFound,
} from '../network/errors';
import { createPort } from '../port/commands';
import { PortInUse, PortNotFound } from '../port/errors';
import { streams } from '../streams';
import { addRouterInterface, createRouter, deleteRouter, removeRouterInterface, updateRouter } from './commands';
import {
  BadRequest,
  CentralizedRouterNotSupported,
  InvalidRoutes,
  OverlappingSubnets,
  RouterInterfaceInUseByRoute,
  RouterInterfaceNotFound,
  RouterInterfaceNotFoundForSubnet,
  RouterInUse,
  RouterNotFound,
  SubnetMismatchForPort,
} from './errors';
import { router } from './router';

const networkId = idOf('network');
const subnetId = idOf('subnet');
const portId = idOf('port', 0xa);
const gateway = ip('10.1.1.1');
const serverMac = sample.addSubnet().serverMac;

const { routerId, ...fields } = sample.createRouter();
const created: RouterEvent = { type: 'RouterCreated', data: fields };
const interfaceAdded: RouterEvent = {
  type: 'RouterInterfaceAdded',
  data: { portId, networkId, subnetId, cidr: cidr('10.1.1.0/24'), ip: gateway, mac: serverMac },
};
const interfaceRemoved: RouterEvent = { type: 'RouterInterfaceRemoved', data: { portId, networkId, subnetId } };
const route = (nexthop: string) => ({ destination: cidr('192.168.0.0/24'), nexthop: ip(nexthop) });
const bySubnet = { routerId, target: { by: 'subnet', networkId, subnetId, newPortId: portId } } as const;

/** A router and a network with a subnet, and what a test adds. */
function world(...subnets: Parameters<typeof sample.addSubnet>[0][]): Log {
  const log = new Log();
  log.run(createNetwork(sample.createNetwork()));
  log.run(addSubnet(sample.addSubnet()));
  for (const subnet of subnets) log.run(addSubnet(sample.addSubnet(subnet)));
  log.run(createRouter(sample.createRouter()));
  return log;
}

describe('a router', () => {
  const judged = judge(router);

  it('is created', () => {
    given()
      .when(createRouter(sample.createRouter()))
      .then(on(streams.router(routerId), created));
  });
  it('that is not distributed is refused until there are gateway hosts', () => {
    given()
      .when(createRouter(sample.createRouter({ distributed: false })))
      .thenFails(CentralizedRouterNotSupported, 'gateway hosts');
  });
  it('is refused under an id in use, and with a name too long', () => {
    judged(created)
      .when({ type: 'CreateRouter', routerId, ...fields })
      .thenFails(IdInUse);
    judged()
      .when({ type: 'CreateRouter', routerId, ...fields, name: 'x'.repeat(256) })
      .thenFails(InvalidInput);
  });
  it('records only what an update changes', () => {
    given(on(streams.router(routerId), created))
      .when(updateRouter({ routerId, changes: { name: 'door', adminStateUp: true } }))
      .then(on(streams.router(routerId), { type: 'RouterUpdated', data: { name: 'door' } }));
    judged(created)
      .when({ type: 'UpdateRouter', routerId, changes: { name: 'gate' } })
      .thenNothing();
  });
  it('takes routes over its own subnets only', () => {
    const routed = judged(created, interfaceAdded);
    const update = (...routes: ReturnType<typeof route>[]) =>
      ({ type: 'UpdateRouter', routerId, changes: { routes } }) as const;
    routed.when(update(route('10.1.1.9'))).then({ type: 'RouterUpdated', data: { routes: [route('10.1.1.9')] } });
    routed.when(update(route('10.9.9.9'))).thenFails(InvalidRoutes, 'not connected with router');
    routed.when(update(route('10.1.1.1'))).thenFails(InvalidRoutes, 'used by router');
    routed.when(update(route('fd00::1'))).thenFails(Ipv6NotSupported);
    routed.when(update(...Array.from({ length: 101 }, () => route('10.1.1.9')))).thenFails(InvalidInput);
  });
  it('is deleted when it has no interface', () => {
    given(on(streams.router(routerId), created))
      .when(deleteRouter({ routerId }))
      .then(on(streams.router(routerId), { type: 'RouterDeleted', data: {} }));
    judged(created, interfaceAdded).when({ type: 'DeleteRouter', routerId }).thenFails(RouterInUse, 'still has ports');
    judged(created, interfaceAdded, interfaceRemoved)
      .when({ type: 'DeleteRouter', routerId })
      .then({ type: 'RouterDeleted', data: {} });
  });
  it('that does not exist, or no longer, is not found', () => {
    judged().when({ type: 'DeleteRouter', routerId }).thenFails(RouterNotFound);
    judged(created, { type: 'RouterDeleted', data: {} })
      .when({ type: 'UpdateRouter', routerId, changes: {} })
      .thenFails(RouterNotFound);
    given().when(addRouterInterface(bySubnet)).thenFails(RouterNotFound);
  });
});

describe('adding an interface by subnet', () => {
  it('gives a new port the gateway address and the MAC of the subnet', () => {
    const change = world().decide(addRouterInterface(bySubnet));
    expect(change.result).toEqual({ portId, networkId, subnetId });
    expect(change.writes).toEqual([
      { stream: streams.router(routerId), expected: 0, events: [interfaceAdded] },
      {
        stream: streams.port(portId),
        expected: -1,
        events: [
          {
            type: 'PortCreated',
            data: {
              projectId: idOf('project'),
              networkId,
              name: '',
              description: '',
              adminStateUp: true,
              portSecurityEnabled: false,
              fixedIps: [{ subnetId, ip: gateway }],
              mac: serverMac,
              deviceId: routerId,
              deviceOwner: 'network:router_interface',
            },
          },
        ],
      },
      { stream: streams.address(subnetId, gateway), expected: -1, events: [{ type: 'Taken', data: { by: portId } }] },
    ]);
    expect(change.checks).toEqual([{ stream: streams.network(networkId), expected: 1 }]);
  });
  it('is refused twice, and when another router has the gateway', () => {
    const log = world();
    log.run(addRouterInterface(bySubnet));
    expect(() => log.run(addRouterInterface(bySubnet))).toThrow(BadRequest);
    log.run(createRouter(sample.createRouter({ routerId: idOf('router', 2) })));
    const other = {
      ...bySubnet,
      routerId: idOf('router', 2),
      target: { ...bySubnet.target, newPortId: idOf('port', 0xb) },
    };
    expect(() => log.run(addRouterInterface(other))).toThrow(IpAddressAlreadyAllocated);
  });
  it('is refused for a subnet without a gateway', () => {
    const second = {
      subnetId: idOf('subnet', 2),
      cidr: cidr('10.2.0.0/24'),
      gatewayIp: null,
      serverMac: mac('fa:16:3e:00:00:02'),
    };
    const target = { ...bySubnet.target, subnetId: second.subnetId };
    expect(() => world(second).run(addRouterInterface({ routerId, target }))).toThrow(
      'Bad router request: Subnet for router interface must have a gateway IP.',
    );
  });
  it('is refused when it overlaps with another on the router', () => {
    const log = world();
    log.run(addRouterInterface(bySubnet));
    log.run(
      createNetwork(
        sample.createNetwork({ networkId: idOf('network', 2), segment: { type: 'vxlan', key: 10_001, picked: true } }),
      ),
    );
    log.run(
      addSubnet(
        sample.addSubnet({ networkId: idOf('network', 2), subnetId: idOf('subnet', 2), cidr: cidr('10.1.0.0/16') }),
      ),
    );
    const target = {
      by: 'subnet',
      networkId: idOf('network', 2),
      subnetId: idOf('subnet', 2),
      newPortId: idOf('port', 0xb),
    } as const;
    const add = () => log.run(addRouterInterface({ routerId, target }));
    expect(add).toThrow(OverlappingSubnets);
    expect(add).toThrow(
      `Bad router request: Cidr 10.1.0.0/16 of subnet ${idOf('subnet', 2)} overlaps with cidr 10.1.1.0/24 of subnet ${subnetId}.`,
    );
  });
  it('is refused when subnet or network are not there, or going', () => {
    const unknownSubnet = { routerId, target: { ...bySubnet.target, subnetId: idOf('subnet', 9) } };
    expect(() => world().run(addRouterInterface(unknownSubnet))).toThrow(SubnetNotFound);
    const unknownNetwork = { routerId, target: { ...bySubnet.target, networkId: idOf('network', 9) } };
    expect(() => world().run(addRouterInterface(unknownNetwork))).toThrow(NetworkNotFound);
    const closing = world();
    closing.run(closeSubnet({ networkId, subnetId }));
    expect(() => closing.run(addRouterInterface(bySubnet))).toThrow(SubnetBeingDeleted);
    closing.run(closeNetwork({ networkId }));
    expect(() => closing.run(addRouterInterface(bySubnet))).toThrow(NetworkBeingDeleted);
  });
});

describe('adding an interface by port', () => {
  const port = idOf('port');
  const byPort = { routerId, target: { by: 'port', portId: port } } as const;

  it('makes that port the interface, with its own address and MAC', () => {
    const log = world();
    log.run(createPort(sample.createPort()));
    log.run(addRouterInterface(byPort));
    expect(log.eventsOf(streams.router(routerId)).at(-1)).toMatchObject({
      type: 'RouterInterfaceAdded',
      data: { portId: port, ip: '10.1.1.10', mac: 'fa:16:3e:00:00:10' },
    });
    expect(log.eventsOf(streams.port(port)).at(-1)).toEqual({
      type: 'PortUpdated',
      data: { deviceId: routerId, deviceOwner: 'network:router_interface' },
    });
  });
  it('is refused when the port has a device, no address or several, or does not exist', () => {
    const add = (over: Parameters<typeof sample.createPort>[0]) => () => {
      const log = world();
      log.run(createPort(sample.createPort(over)));
      log.run(addRouterInterface(byPort));
    };
    expect(add({ deviceId: 'something' })).toThrow(PortInUse);
    expect(add({ fixedIps: [] })).toThrow('Router port must have at least one fixed IP');
    const two = ['10.1.1.10', '10.1.1.11'].map((address) => ({ subnetId, ip: ip(address), picked: false }));
    expect(add({ fixedIps: two })).toThrow('Cannot have multiple IPv4 subnets on router port');
    expect(() => world().run(addRouterInterface(byPort))).toThrow(PortNotFound);
  });
});

describe('removing an interface', () => {
  const removing = (over: Partial<RemoveRouterInterface>) => {
    const log = world();
    log.run(addRouterInterface(bySubnet));
    return () => log.decide(removeRouterInterface({ routerId, ...over }));
  };

  it.each([{ subnetId }, { portId }, { subnetId, portId }])(
    'named by %j deletes its port and frees the gateway address',
    (named) => {
      const change = removing(named)();
      expect(change.result).toEqual({ portId, networkId, subnetId });
      expect(change.writes.map(({ stream, events }) => [stream, events.map(({ type }) => type)])).toEqual([
        [streams.router(routerId), ['RouterInterfaceRemoved']],
        [streams.port(portId), ['PortDeleted']],
        [streams.address(subnetId, gateway), ['Freed']],
      ]);
    },
  );
  it('that was added by port frees the MAC too', () => {
    const log = world();
    log.run(createPort(sample.createPort()));
    log.run(addRouterInterface({ routerId, target: { by: 'port', portId: idOf('port') } }));
    log.run(removeRouterInterface({ routerId, subnetId }));
    expect(log.eventsOf(streams.mac(networkId, mac('fa:16:3e:00:00:10'))).at(-1)).toEqual({ type: 'Freed', data: {} });
  });
  it('is refused while a route needs it', () => {
    const log = world();
    log.run(addRouterInterface(bySubnet));
    log.run(updateRouter({ routerId, changes: { routes: [route('10.1.1.9')] } }));
    expect(() => log.run(removeRouterInterface({ routerId, subnetId }))).toThrow(RouterInterfaceInUseByRoute);
  });
  it('is refused when it is not there, or not named', () => {
    expect(removing({ subnetId: idOf('subnet', 9) })).toThrow(RouterInterfaceNotFoundForSubnet);
    expect(removing({ portId: idOf('port', 9) })).toThrow(RouterInterfaceNotFound);
    expect(removing({ portId, subnetId: idOf('subnet', 9) })).toThrow(SubnetMismatchForPort);
    expect(removing({})).toThrow(BadRequest);
    judge(router)(created).when({ type: 'RemoveInterface', routerId, portId }).thenFails(RouterInterfaceNotFound);
  });
});
