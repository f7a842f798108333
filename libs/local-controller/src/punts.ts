import { cidrContains, type Clock, type Logger, type PortId } from '@weir/kernel';
import type { Action, PacketIn, PacketOut, Switch } from '@weir/openflow';
import {
  decodeFrame,
  dhcpReplyFrame,
  encodeFrame,
  type Frame,
  FRAGMENTATION_NEEDED,
  HOST_UNREACHABLE,
  icmpTimeExceeded,
  icmpUnreachable,
  MalformedPacket,
  NETWORK_UNREACHABLE,
  PORT_UNREACHABLE,
  PROTOCOL_UNREACHABLE,
} from '@weir/packet';
import { type Compiler, PORT_METER, PUNTS, REGISTERS, REPLY, tableNumber } from '@weir/pipeline';
import type { RouterInterfaceFact } from '@weir/topology';
import type { Counters } from './counters';
import { leaseOf } from './dhcp';
import { TokenBucket } from './token-bucket';

export interface PuntsOptions {
  readonly compiler: Compiler;
  readonly counters: Counters;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Answers the packets that flows send to the controller, from the facts that the flows were compiled from. */
export class Punts {
  /** By the number of the switch's port. */
  private readonly buckets = new Map<number, TokenBucket>();

  constructor(private readonly options: PuntsOptions) {}

  /** Never throws. */
  take(packet: PacketIn, bridge: Pick<Switch, 'packetOut'>): void {
    const { counters, logger } = this.options;
    counters.countPunt(packet.userdata);
    try {
      if (!this.bucketOf(packet.inPort).take()) return counters.countPunt('over the rate');
      const answer = this.answer(packet, decodeFrame(packet.packet));
      if (answer) bridge.packetOut(answer);
      else counters.countPunt('unanswered');
    } catch (error) {
      counters.countPunt(error instanceof MalformedPacket ? 'malformed' : 'failed');
      if (!(error instanceof MalformedPacket))
        logger.error('A packet could not be answered', { error, reason: packet.userdata });
    }
  }

  private answer(packet: PacketIn, frame: Frame): PacketOut | undefined {
    switch (packet.userdata) {
      case PUNTS.dhcp:
        return this.answerDhcp(packet, frame);
      case PUNTS.timeExceeded:
        return this.answerAsRouter(packet, (from) => icmpTimeExceeded(frame, from));
      case PUNTS.netUnreachable:
        return this.answerAsRouter(packet, (from) => icmpUnreachable(frame, NETWORK_UNREACHABLE, from));
      case PUNTS.hostUnreachable:
        return this.answerAsRouter(packet, (from) => icmpUnreachable(frame, HOST_UNREACHABLE, from));
      case PUNTS.portUnreachable: {
        const code = hasPorts(frame) ? PORT_UNREACHABLE : PROTOCOL_UNREACHABLE;
        return this.answerAsRouter(packet, (from) => icmpUnreachable(frame, code, from));
      }
      case PUNTS.tooBig:
        return this.answerTooBig(packet, frame);
      default:
        return undefined;
    }
  }

  private answerDhcp(packet: PacketIn, frame: Frame): PacketOut | undefined {
    const { compiler } = this.options;
    const port = compiler.idOf('port', register(packet, 'sourcePort'));
    if (port === undefined || compiler.environment.localPorts.get(port as PortId)?.ofport !== packet.inPort)
      return undefined;
    const own = leaseOf(compiler.slice, port);
    const reply = own && dhcpReplyFrame(frame, own.lease, own.serverMac);
    return reply && toPort(packet.inPort, reply);
  }

  /** Packets without DF would have to be cut into fragments: networks that routers join have one MTU, so those are dropped. */
  private answerTooBig(packet: PacketIn, frame: Frame): PacketOut | undefined {
    const { slice } = this.options.compiler;
    const towards = this.options.compiler.idOf('router-interface', register(packet, 'egressInterface'));
    const network = towards === undefined ? undefined : slice.get('router-interface', towards)?.network;
    const mtu = network === undefined ? undefined : slice.get('network', network)?.mtu;
    if (mtu === undefined || frame.payload.kind !== 'ipv4' || !frame.payload.dontFragment) return undefined;
    return this.answerAsRouter(packet, (from) => icmpUnreachable(frame, FRAGMENTATION_NEEDED, from, mtu));
  }

  /** Speaks as the router's interface on the sender's network. */
  private answerAsRouter(
    packet: PacketIn,
    error: (from: RouterInterfaceFact) => Frame | undefined,
  ): PacketOut | undefined {
    const { compiler } = this.options;
    const from = this.interfaceOf(packet);
    const frame = from && error(from);
    if (!frame) return undefined;
    const isLocal = [...compiler.environment.localPorts.values()].some(({ ofport }) => ofport === packet.inPort);
    if (isLocal) return toPort(packet.inPort, frame);
    // It came by way of another router: back as any packet of this router's own.
    const set = (field: 'metadata' | 'reg0' | 'reg3', value: bigint): Action => ({ type: 'set_field', field, value });
    return {
      inPort: 'controller',
      actions: [
        set(REGISTERS.network, BigInt(register(packet, 'network'))),
        set(REGISTERS.router, BigInt(register(packet, 'router'))),
        set(REGISTERS.flags, BigInt(REPLY)),
        { type: 'resubmit', table: tableNumber('ROUTE') },
      ],
      data: encodeFrame(frame),
    };
  }

  private interfaceOf(packet: PacketIn): RouterInterfaceFact | undefined {
    const { compiler } = this.options;
    const router = compiler.idOf('router', register(packet, 'router'));
    const network = compiler.idOf('network', register(packet, 'network'));
    if (router === undefined || network === undefined) return undefined;
    const links = [...compiler.slice.interfacesOfNetwork.of(network)]
      .map((id) => compiler.slice.get('router-interface', id))
      .filter((link) => link?.router === router)
      .filter((link) => link !== undefined);
    const { payload } = decodeFrame(packet.packet);
    const nearest = links.find((link) => {
      const cidr = compiler.slice.get('subnet', link.subnet)?.cidr;
      return cidr !== undefined && payload.kind === 'ipv4' && cidrContains(cidr, payload.source);
    });
    return nearest ?? links[0];
  }

  /** Behind the switch's meters, which a simulated switch does not have. */
  private bucketOf(inPort: number): TokenBucket {
    const known = this.buckets.get(inPort);
    if (known) return known;
    const here = new Set([...this.options.compiler.environment.localPorts.values()].map(({ ofport }) => ofport));
    for (const number of this.buckets.keys()) if (!here.has(number)) this.buckets.delete(number);
    const bucket = new TokenBucket(PORT_METER, this.options.clock);
    this.buckets.set(inPort, bucket);
    return bucket;
  }
}

function register(packet: PacketIn, name: keyof typeof REGISTERS): number {
  return Number(packet.metadata[REGISTERS[name]] ?? 0n);
}

function toPort(port: number, frame: Frame): PacketOut {
  return { inPort: 'controller', actions: [{ type: 'output', port }], data: encodeFrame(frame) };
}

function hasPorts({ payload }: Frame): boolean {
  return payload.kind === 'ipv4' && (payload.payload.kind === 'udp' || payload.payload.kind === 'tcp');
}
