import { join } from 'node:path';
import { type Ip, type Mac, silentLogger, systemClock, systemTimers } from '@weir/kernel';
import { DeadlinePassed } from '@weir/lab';
import {
  type Action,
  connectOpenFlow,
  difference,
  type Flow,
  flowKey,
  groupDifference,
  meterDifference,
  type OpenFlowConnection,
  type PacketIn,
} from '@weir/openflow';
import { BRIDGE, type LabSwitch, startSwitch } from '@weir/openflow/lab';
import { decodeFrame, decodeVxlan, encodeFrame, encodeVxlan, ipv4, udp, VXLAN_PORT } from '@weir/packet';
import type { Plan } from '@weir/pipeline';
import type { Output } from '@weir/pipeline/interpreter';
import { FIRST_OFPORT, TUNNEL_PORT } from '@weir/testing/topology';
import { PcapTail } from './pcap-tail';
import { Unixctl } from './unixctl';
import { hex, seenPunt, type SeenPunt, type Stimulus, verdict, type Verdict } from './verdict';

/** As many instances as a host of a drawn topology may have. */
export const OFPORTS: readonly number[] = Array.from({ length: 20 }, (_, index) => FIRST_OFPORT + index);

const UNDERLAY = 'br-phy';
const WIRE = 'p0';
/** Every host's place in turn, so its underlay address is none of theirs; no row of ours names it. */
const OWN_ADDRESS = '198.51.100.250' as Ip;
const OWN_MAC = 'aa:55:00:00:00:01' as Mac;
const PEER_MAC = 'aa:55:00:00:00:02' as Mac;
/** Above any frame of a test, with the tunnel's header: a device's own limit is not compared. */
const LARGE_MTU = '16000';
const DEADLINE_MS = 5_000;

/** IEEE's type for local experiments: no frame of a test has it. */
const MARK_TYPE = 0x88b5;
const MARK = 'mark';
const MARK_PUNT: Action = { type: 'controller', userdata: MARK, maxLength: 0xffff };
const MARK_ROW: Flow = {
  table: 0,
  priority: 0xffff,
  cookie: 0xffffn,
  match: { eth_type: { value: BigInt(MARK_TYPE) } },
  actions: [MARK_PUNT],
};
const MARK_FRAME = encodeFrame({
  source: OWN_MAC,
  destination: PEER_MAC,
  payload: { kind: 'raw', etherType: MARK_TYPE, bytes: new Uint8Array(4) },
});

/** More than any test sends: what a meter lets through in a second is not compared. */
const UNLIMITED = { rate: 10_000_000, burst: 10_000_000 };

/**
 * One real ovs-vswitchd over its dummy datapath: its userspace switch, with ports that are no devices. Frames are given to it one by one;
 * behind each a mark goes the same way, and what came before the mark's punt is all that the frame caused.
 */
export class DummySwitch {
  private punts: SeenPunt[] = [];
  private marked: () => void = () => undefined;
  private plan: Plan = { flows: [], groups: [], meters: [] };

  private constructor(
    private readonly lab: LabSwitch,
    private readonly control: Unixctl,
    private readonly bridge: OpenFlowConnection,
    private readonly ports: ReadonlyMap<number, PcapTail>,
    private readonly wire: PcapTail,
  ) {
    bridge.onPacketIn((packet) => this.take(packet));
  }

  /** `peers`: the tunnel endpoints that there are. */
  static async start(peers: readonly Ip[]): Promise<DummySwitch> {
    const lab = await startSwitch('dummy');
    try {
      const pcap = (device: string) => join(lab.folder, `${device}.pcap`);
      const dummy = (device: string) =>
        [
          '--',
          'set',
          'interface',
          device,
          'type=dummy',
          `options:tx_pcap=${pcap(device)}`,
          `mtu_request=${LARGE_MTU}`,
        ] as const;
      const device = (ofport: number) => `p${ofport}`;
      await lab.vsctl(
        ...[
          'add-br',
          UNDERLAY,
          '--',
          'set',
          'bridge',
          UNDERLAY,
          'datapath_type=dummy',
          `other-config:hwaddr=${OWN_MAC}`,
        ],
        ...['--', 'set', 'interface', UNDERLAY, `mtu_request=${LARGE_MTU}`, '--', 'add-port', UNDERLAY, WIRE],
        ...dummy(WIRE),
        ...['--', 'add-port', BRIDGE, 'vx', '--', 'set', 'interface', 'vx', 'type=vxlan'],
        ...['options:remote_ip=flow', 'options:key=flow', `ofport_request=${TUNNEL_PORT}`],
        ...OFPORTS.flatMap((ofport) => [
          ...['--', 'add-port', BRIDGE, device(ofport), ...dummy(device(ofport)), `ofport_request=${ofport}`],
        ]),
      );
      const control = await Unixctl.connect(join(lab.folder, 'vswitchd.ctl'));
      await control.call('netdev-dummy/ip4addr', UNDERLAY, `${OWN_ADDRESS}/24`);
      await control.call('ovs/route/add', '198.51.100.0/24', UNDERLAY);
      for (const peer of peers) await control.call('tnl/neigh/set', UNDERLAY, peer, PEER_MAC);
      const bridge = await connectOpenFlow({
        path: lab.socket,
        logger: silentLogger,
        clock: systemClock,
        timers: systemTimers,
      });
      const ports = new Map(OFPORTS.map((ofport) => [ofport, new PcapTail(pcap(device(ofport)))]));
      return new DummySwitch(lab, control, bridge, ports, new PcapTail(pcap(WIRE)));
    } catch (error) {
      await lab.stop();
      throw error;
    }
  }

  /** The plan, all of it and nothing else, with counters at nought. */
  async program(plan: Plan): Promise<void> {
    await this.replace({ flows: [], groups: [], meters: [] });
    await this.replace({
      flows: [MARK_ROW, ...plan.flows],
      groups: plan.groups,
      meters: plan.meters.map((meter) => ({ ...meter, ...UNLIMITED })),
    });
    // Cached flows of the plan before are gone when this has been answered.
    await this.control.call('revalidator/purge');
  }

  /** How many packets each row has taken, by its flow key. */
  async counters(): Promise<ReadonlyMap<string, number>> {
    await this.control.call('revalidator/purge');
    const counted = (await this.bridge.flows()).filter(({ flow }) => flow.cookie !== MARK_ROW.cookie);
    return new Map(counted.map(({ flow, packets }) => [flowKey(flow), Number(packets)]));
  }

  async feed(stimulus: Stimulus): Promise<Verdict> {
    this.punts = [];
    const end = new Promise<void>((resolve, reject) => {
      const cancel = systemTimers.after(DEADLINE_MS, () =>
        reject(new DeadlinePassed('the mark behind a frame', DEADLINE_MS)),
      );
      this.marked = () => {
        cancel();
        resolve();
      };
    });
    await Promise.all([this.send(stimulus), end]);
    return verdict(this.outputs(), this.punts);
  }

  /** What ovs-vswitchd says of the way that a frame takes. */
  async explain(stimulus: Stimulus): Promise<string> {
    if (stimulus.from === 'controller') return 'A PACKET_OUT: not traced.';
    const from =
      stimulus.from === 'tunnel'
        ? `in_port=${TUNNEL_PORT},tun_id=${stimulus.id},tun_src=${stimulus.src},tun_dst=${OWN_ADDRESS}`
        : `in_port=${stimulus.inPort}`;
    return this.control.call('ofproto/trace', BRIDGE, from, hex(stimulus.frame));
  }

  async stop(): Promise<void> {
    await this.bridge.close();
    this.control.close();
    for (const tail of [...this.ports.values(), this.wire]) tail.close();
    await this.lab.stop();
  }

  private async replace(plan: Plan): Promise<void> {
    const present = this.plan;
    this.plan = plan;
    await this.bridge.commit({
      ...difference(plan.flows, present.flows),
      ...groupDifference(plan.groups, present.groups),
      ...meterDifference(plan.meters, present.meters),
    });
  }

  private async send(stimulus: Stimulus): Promise<void> {
    switch (stimulus.from) {
      case 'instance':
        await this.receive(`p${stimulus.inPort}`, stimulus.frame, MARK_FRAME);
        return;
      case 'tunnel': {
        const { id, src, frame } = stimulus;
        await this.receive(WIRE, encapsulated(id, src, frame), encapsulated(id, src, MARK_FRAME));
        return;
      }
      case 'controller': {
        const { inPort, frame, actions } = stimulus;
        this.bridge.packetOut({ inPort, data: frame, actions });
        this.bridge.packetOut({ inPort, data: MARK_FRAME, actions: [MARK_PUNT] });
      }
    }
  }

  private async receive(device: string, ...frames: readonly Uint8Array[]): Promise<void> {
    await Promise.all(frames.map((frame) => this.control.call('netdev-dummy/receive', device, hex(frame))));
  }

  private take(packet: PacketIn): void {
    if (packet.userdata === MARK) this.marked();
    else this.punts.push(seenPunt(packet));
  }

  private outputs(): Output[] {
    const local = [...this.ports].flatMap(([port, tail]) => tail.read().map((frame) => ({ port, frame })));
    return [...local, ...this.wire.read().map(decapsulated)];
  }
}

function encapsulated(vni: number, source: Ip, frame: Uint8Array): Uint8Array {
  const payload = { ...udp(50_000, VXLAN_PORT, encodeVxlan({ vni, frame })), unchecked: true } as const;
  return encodeFrame({
    source: PEER_MAC,
    destination: OWN_MAC,
    payload: ipv4({ source, destination: OWN_ADDRESS, payload }),
  });
}

function decapsulated(bytes: Uint8Array): Output {
  const { payload } = decodeFrame(bytes);
  if (payload.kind !== 'ipv4' || payload.payload.kind !== 'udp' || payload.payload.destinationPort !== VXLAN_PORT)
    throw new Error(`Something other than VXLAN left by the underlay: ${hex(bytes)}`);
  const { vni, frame } = decodeVxlan(payload.payload.payload);
  return { port: TUNNEL_PORT, frame, tunnel: { id: vni, dst: payload.destination } };
}
