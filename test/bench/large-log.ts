import { type DomainEvent, streams } from '@weir/domain';
import { type NewEvent, NO_STREAM, type Write } from '@weir/event-store';
import {
  type Cidr,
  type Id,
  type Ip,
  macFromBytes,
  type NetworkId,
  type PortId,
  type ProjectId,
  type SubnetId,
} from '@weir/kernel';

const NETWORKS = 100;
const PROJECTS = 50;
const START = 1_740_830_400_000;

/** Spread as random ids are, and the same in every run. */
function idOf<Kind extends string>(kind: string, number: number): Id<Kind> {
  const mixed = (Math.imul(number + 1, 0x9e3779b1) >>> 0).toString(16).padStart(8, '0');
  return `${mixed}-${kind}-4000-8000-${number.toString(16).padStart(12, '0')}` as Id<Kind>;
}

interface Place {
  readonly stream: string;
  readonly expected: number;
  readonly event: DomainEvent;
}

/**
 * A log as tenants leave it, of any length: networks with a subnet each, then ports (a tenth as many as there are events) with
 * their addresses and MACs, then those ports change, round after round.
 */
export class LargeLog {
  private readonly ports: number;

  constructor(readonly length: number) {
    this.ports = length / 10;
  }

  network(number: number): NetworkId {
    return idOf('aaaa', number % NETWORKS);
  }

  get portsPerNetwork(): number {
    return this.ports / NETWORKS;
  }

  /** `count` of its events from the `first` on: a divisor of 100, since an append names a stream once. */
  writes(first: number, count: number): Write[] {
    return Array.from({ length: Math.min(count, this.length - first) }, (_, index) => {
      const { stream, expected, event } = this.at(first + index);
      return { stream, expected, events: [enveloped(first + index, event)] };
    });
  }

  private at(number: number): Place {
    if (number < NETWORKS) return this.networkCreated(number);
    if (number < 2 * NETWORKS) return this.subnetAdded(number - NETWORKS);
    const behind = number - 2 * NETWORKS;
    if (behind < 3 * this.ports) return this.portMade(Math.floor(behind / 3), behind % 3);
    const change = behind - 3 * this.ports;
    const port = change % this.ports;
    const round = Math.floor(change / this.ports);
    const stream = streams.port(portOf(port));
    return {
      stream,
      expected: round,
      event: {
        type: 'PortUpdated',
        data: { name: `port-${port}-${round}`, adminStateUp: round % 2 === 1, description: `changed ${round} times` },
      },
    };
  }

  private networkCreated(number: number): Place {
    const data = {
      projectId: projectOf(number),
      name: `network-${number}`,
      description: '',
      adminStateUp: true,
      portSecurityEnabled: true,
      mtu: 1450,
      segment: { type: 'vxlan', key: 10_000 + number },
      availabilityZoneHints: [],
    } as const;
    const stream = streams.network(this.network(number));
    return { stream, expected: NO_STREAM, event: { type: 'NetworkCreated', data } };
  }

  private subnetAdded(number: number): Place {
    const data = {
      subnetId: subnetOf(number),
      projectId: projectOf(number),
      name: `subnet-${number}`,
      description: '',
      cidr: `10.${number}.0.0/16` as Cidr,
      gatewayIp: `10.${number}.0.1` as Ip,
      allocationPools: [{ start: `10.${number}.0.2` as Ip, end: `10.${number}.255.254` as Ip }],
      enableDhcp: true,
      dnsNameservers: [],
      hostRoutes: [],
      serverIp: `10.${number}.0.1` as Ip,
      serverMac: macFromBytes(Uint8Array.from([0xfa, 0x16, 0x3e, 0xff, 0, number])),
    };
    return { stream: streams.network(this.network(number)), expected: 0, event: { type: 'SubnetAdded', data } };
  }

  /** A port, its MAC and its address, as one request appends them. */
  private portMade(port: number, part: number): Place {
    const portId = portOf(port);
    const networkId = this.network(port);
    const inNetwork = Math.floor(port / NETWORKS) + 2;
    const mac = macFromBytes(Uint8Array.from([0xfa, 0x16, 0x3e, (port >> 16) & 255, (port >> 8) & 255, port & 255]));
    const subnetId = subnetOf(port % NETWORKS);
    const ip = `10.${port % NETWORKS}.${(inNetwork >> 8) & 255}.${inNetwork & 255}` as Ip;
    const taken: DomainEvent = { type: 'Taken', data: { by: portId } };
    if (part === 0) return { stream: streams.mac(networkId, mac), expected: NO_STREAM, event: taken };
    if (part === 1) return { stream: streams.address(subnetId, ip), expected: NO_STREAM, event: taken };
    const data = {
      projectId: projectOf(port),
      networkId,
      mac,
      name: `port-${port}`,
      description: '',
      adminStateUp: true,
      portSecurityEnabled: true,
      fixedIps: [{ subnetId, ip }],
      deviceId: '',
      deviceOwner: '',
    };
    return { stream: streams.port(portId), expected: NO_STREAM, event: { type: 'PortCreated', data } };
  }
}

const portOf = (number: number): PortId => idOf('bbbb', number);
const projectOf = (number: number): ProjectId => idOf('cccc', number % PROJECTS);
const subnetOf = (network: number): SubnetId => idOf('eeee', network);

function enveloped(number: number, { type, data }: DomainEvent): NewEvent {
  const correlation = `req-${idOf('dddd', number)}`;
  return {
    id: idOf('ffff', number),
    type,
    schemaVersion: 1,
    data,
    metadata: {
      correlation,
      causation: correlation,
      actor: idOf('9999', number % PROJECTS),
      project: projectOf(number),
      time: new Date(START + number).toISOString(),
    },
  };
}
