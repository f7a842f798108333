import { type Ip, type Mac, silentLogger, systemClock, systemTimers } from '@weir/kernel';
import { join } from 'node:path';
import { capture, type Capture, type LabHost, type LabInstance } from '@weir/lab';
import { connectOpenFlow, type OpenFlowConnection } from '@weir/openflow';
import { decodeFrame, decodeVxlan, encodeFrame, type Frame, type Ipv4Packet, VXLAN_PORT } from '@weir/packet';

/** A frame that an instance received. */
export interface Delivery {
  readonly to: string;
  readonly frame: Frame;
}

/** A VXLAN packet that a host sent into the underlay. */
export interface Crossing {
  readonly host: string;
  readonly from: Ip;
  readonly to: Ip;
  readonly vni: number;
  /** The inner one. */
  readonly frame: Frame;
}

/** What became of the frames that were sent. */
export interface Journey {
  readonly deliveries: readonly Delivery[];
  readonly crossings: readonly Crossing[];
}

interface Tap {
  readonly capture: Capture;
  readonly bridge: Bridge;
  /** The bridge's port at whose other end, or on which, frames are captured. */
  readonly port: string;
  /** How frames of that port are seen there. */
  readonly direction: 'in' | 'out';
}

/** For local experiments (IEEE 802), so that nobody answers. */
const MARK_TYPE = 0x88b5;
/** Not of the lab's own MACs: bridges learn from the source. */
const NOBODY = '06:00:00:00:00:01' as Mac;

/** Sends frames out of a bridge's ports, behind whatever the switch has sent there before. */
class Bridge {
  private connection: Promise<OpenFlowConnection> | undefined;

  constructor(private readonly path: string) {}

  async send(port: string, data: Uint8Array): Promise<void> {
    const connection = await (this.connection ??= this.connect());
    const found = (await connection.ports()).find(({ name }) => name === port);
    if (!found) throw new RangeError(`${this.path} has no port ${port}.`);
    connection.packetOut({ inPort: 'controller', actions: [{ type: 'output', port: found.number }], data });
  }

  async close(): Promise<void> {
    await (await this.connection)?.close();
  }

  private async connect(): Promise<OpenFlowConnection> {
    const ports = { logger: silentLogger, clock: systemClock, timers: systemTimers };
    const connection = await connectOpenFlow({ path: this.path, ...ports });
    connection.onClose(() => (this.connection = undefined));
    return connection;
  }
}

/** Captures at every instance, and on the underlay's side of every host. */
export class Wire {
  private readonly instances = new Map<string, Tap>();
  private readonly hosts = new Map<string, Tap>();
  private readonly bridges = new Map<string, Bridge>();
  private marks = 0;

  async tapHost(host: LabHost): Promise<void> {
    const bridge = this.bridge(join(host.rundir, 'br-phy.mgmt'));
    this.hosts.set(host.name, { capture: await capture(host.netns, 'eth0'), bridge, port: 'eth0', direction: 'out' });
  }

  /** `name`: as the test calls it. */
  async tapInstance(name: string, instance: LabInstance, host: LabHost): Promise<void> {
    const tap = await capture(instance.netns, 'eth0', ({ direction }) => direction === 'in');
    const bridge = this.bridge(host.openflow);
    this.instances.set(name, { capture: tap, bridge, port: instance.hostInterface, direction: 'in' });
  }

  async untapInstance(name: string): Promise<void> {
    const tap = this.instances.get(name);
    this.instances.delete(name);
    await tap?.capture.stop();
  }

  async close(): Promise<void> {
    await Promise.all(this.taps().map(({ capture: tap }) => tap.stop()));
    await Promise.all([...this.bridges.values()].map((bridge) => bridge.close()));
  }

  clear(): void {
    for (const { capture: tap } of this.taps()) tap.clear();
  }

  /** Whatever was sent to an instance or into the underlay before the call has been captured when this resolves. */
  async settle(): Promise<void> {
    const number = ++this.marks;
    const bytes = new Uint8Array(46);
    new DataView(bytes.buffer).setUint32(0, number);
    const payload = { kind: 'raw', etherType: MARK_TYPE, bytes } as const;
    const mark = encodeFrame({ source: NOBODY, destination: NOBODY, payload });
    await Promise.all(
      this.taps().map(async ({ capture: tap, bridge, port, direction: seen }) => {
        await bridge.send(port, mark);
        await tap.waitFor(({ direction, bytes }) => direction === seen && bytes.equals(mark), {
          what: `mark ${number}`,
        });
      }),
    );
  }

  /** By name, then as they came. */
  deliveries(): Delivery[] {
    return [...this.instances]
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .flatMap(([to, tap]) => framesOf(tap).map((frame) => ({ to, frame })));
  }

  crossings(): Crossing[] {
    return [...this.hosts].flatMap(([host, { capture: tap }]) =>
      tap.frames.flatMap(({ direction, bytes }) => {
        const crossing = direction === 'out' ? unwrap(decodeFrame(bytes)) : undefined;
        return crossing ? [{ host, ...crossing }] : [];
      }),
    );
  }

  /** All frames of a host's link to the underlay, both ways. */
  underlayFrames(host: string): Frame[] {
    const tap = this.hosts.get(host);
    return tap ? framesOf(tap) : [];
  }

  private bridge(path: string): Bridge {
    const bridge = this.bridges.get(path) ?? new Bridge(path);
    this.bridges.set(path, bridge);
    return bridge;
  }

  private taps(): Tap[] {
    return [...this.instances.values(), ...this.hosts.values()];
  }
}

export function isMark({ payload }: Frame): boolean {
  return payload.kind === 'raw' && payload.etherType === MARK_TYPE;
}

function framesOf({ capture: tap }: Tap): Frame[] {
  return tap.frames.map(({ bytes }) => decodeFrame(bytes)).filter((frame) => !isMark(frame));
}

/** Undefined for what is no VXLAN. */
export function unwrap({ payload }: Frame): Omit<Crossing, 'host'> | undefined {
  if (payload.kind !== 'ipv4' || payload.payload.kind !== 'udp') return undefined;
  if (payload.payload.destinationPort !== VXLAN_PORT) return undefined;
  const { vni, frame } = decodeVxlan(payload.payload.payload);
  return { from: payload.source, to: payload.destination, vni, frame: decodeFrame(frame) };
}

/** The names of those who got a copy, one for each. */
export function receivers({ deliveries }: Journey): string[] {
  return deliveries.map(({ to }) => to).sort();
}

/** The one frame that was delivered. */
export function delivered({ deliveries }: Journey): Frame {
  const [first, ...others] = deliveries;
  if (!first || others.length > 0) throw new RangeError(`${deliveries.length} frames were delivered instead of one.`);
  return first.frame;
}

export function ipOf({ payload }: Frame): Ipv4Packet {
  if (payload.kind !== 'ipv4') throw new RangeError('That is no IPv4 packet, or a broken one.');
  return payload;
}
