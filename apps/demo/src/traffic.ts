import { conflict, type Ip, type Mac, parseIp, parseMac, type Timers, WeirError } from '@weir/kernel';
import { type UdpProbeReport, VoidRun } from '@weir/lab';
import type { Instance } from '@weir/lab/deployment';
import { ARP_REPLY, encodeFrame, ipv4, udp } from '@weir/packet';
import type { Stage } from './stage';
import { table } from './table';

const PINGS = { count: 3, intervalMs: 50, timeoutMs: 1_000 };

/** An instance with where it stands. */
export interface Placed extends Instance {
  readonly site: string;
  readonly subnet: string;
}

export interface PingedPair {
  readonly from: Placed;
  readonly to: Placed;
  readonly received: number;
  readonly sent: number;
  /** The median, in milliseconds; undefined when nothing came back. */
  readonly rtt: number | undefined;
}

/** Every instance pings every other one; the instances at the same time, each its targets one by one. */
export async function pingEveryPair(stage: Stage, instances: readonly Placed[]): Promise<readonly PingedPair[]> {
  const all = await Promise.all(
    instances.map(async (from) => {
      const pairs: PingedPair[] = [];
      for (const to of instances.filter((other) => other !== from)) {
        const { sent, received, rtts } = await stage.ping(from, to.ip, PINGS);
        const rtt = rtts.toSorted((left, right) => left - right)[Math.floor(rtts.length / 2)];
        pairs.push({ from, to, sent, received, rtt });
      }
      return pairs;
    }),
  );
  return all.flat();
}

/** `other site, routed`, say. */
export function kindOf(from: Placed, to: Placed): string {
  const where = from.host === to.host ? 'same host' : from.site === to.site ? 'other host' : 'other site';
  return `${where}, ${from.subnet === to.subnet ? 'same subnet' : 'routed'}`;
}

export function matrix(instances: readonly Placed[], pairs: readonly PingedPair[]): readonly string[] {
  const header = ['ms', 'address', 'host', ...instances.map(({ name }) => name)];
  const cell = (from: Placed, to: Placed): string => {
    if (from === to) return '·';
    const pair = pairs.find((candidate) => candidate.from === from && candidate.to === to);
    return pair?.rtt === undefined || pair.received < pair.sent ? 'lost' : pair.rtt.toFixed(2);
  };
  return table([
    header,
    ...instances.map((from) => [from.name, from.ip, from.host, ...instances.map((to) => cell(from, to))]),
  ]);
}

/** The round-trip times by kind of pair, and throws when an answer is missing. */
export function expectAllAnswered(pairs: readonly PingedPair[]): string {
  const silent = pairs.filter(({ sent, received }) => sent === 0 || received < sent);
  const [first] = silent;
  if (first !== undefined) {
    const { from, to, received } = first;
    throw conflict(
      `${silent.length} of ${pairs.length} pairs lost pings; ${from.name} to ${to.name} (${kindOf(from, to)}) got ${received} of ${PINGS.count} answers.`,
    );
  }
  const kinds = [...new Set(pairs.map(({ from, to }) => kindOf(from, to)))].sort();
  const medians = kinds.map((kind) => {
    const rtts = pairs.filter(({ from, to }) => kindOf(from, to) === kind).map(({ rtt }) => rtt ?? 0);
    return `${kind} ${(rtts.reduce((sum, rtt) => sum + rtt, 0) / rtts.length).toFixed(2)} ms`;
  });
  return `${pairs.length} of ${pairs.length} pairs; ${medians.join('; ')}`;
}

const FORGED_MAC = parseMac('fa:16:3e:0f:0f:0f');
const FORGED_EACH = 10;
/** A frame's two MAC addresses may be rewritten on the way; what follows them tells it. */
const BEHIND_ADDRESSES = 12;

/**
 * From inside an instance, frames as another sender: other MAC, other IP, ARP with another MAC or IP; then an honest one.
 * Throws unless the honest one alone reaches the receiver. Answers how many were forged.
 */
export async function forge(stage: Stage, from: Placed, to: Placed, forgedIp: string): Promise<number> {
  const [mac, ip] = [parseMac(from.mac), parseIp(from.ip)];
  const datagram = (source: Mac, sender: Ip, text: string): Uint8Array => {
    const payload = ipv4({ source: sender, destination: parseIp(to.ip), payload: udp(7, 7, Buffer.from(text)) });
    return encodeFrame({ destination: parseMac(to.mac), source, payload });
  };
  const arp = (senderMac: Mac, senderIp: Ip): Uint8Array =>
    encodeFrame({
      destination: parseMac(to.mac),
      source: mac,
      payload: {
        kind: 'arp',
        operation: ARP_REPLY,
        senderMac,
        senderIp,
        targetMac: parseMac(to.mac),
        targetIp: parseIp(to.ip),
      },
    });
  const other = parseIp(forgedIp);
  const forged = [
    datagram(FORGED_MAC, ip, 'forged'),
    datagram(mac, other, 'forged'),
    arp(FORGED_MAC, ip),
    arp(mac, other),
  ];
  const honest = 'weir-honest-frame';
  const receiver = await stage.capture(to);
  const frames = [...Array.from({ length: FORGED_EACH }, () => forged).flat(), datagram(mac, ip, honest)];
  await stage.inject(from, frames);
  await receiver.waitFor(({ bytes }) => bytes.includes(honest), { what: `the honest frame of ${from.name}` });
  const got = (await receiver.stop()).filter(({ bytes }) =>
    forged.some((frame) => bytes.includes(Buffer.from(frame.subarray(BEHIND_ADDRESSES)))),
  );
  if (got.length > 0) throw conflict(`${to.name} on ${to.host} got ${got.length} frames that ${from.name} had forged.`);
  return forged.length * FORGED_EACH;
}

type Pairs = readonly (readonly [Placed, Placed])[];

const TRIES = 3;

/** The traffic lost packets without any fault, so a fault would prove nothing. */
class LossyControl extends WeirError {
  constructor(lost: number) {
    super('unavailable', `Void: ${lost} packets were lost without a fault.`);
  }
}

/**
 * What 100 datagrams a second on each pair lose under a fault, behind the same traffic without it. A void run (the control
 * lost some, or a sender was too slow) is repeated, the fault included; rejects when the third one is void, too.
 */
export async function lossesUnder(
  stage: Stage,
  pairs: Pairs,
  timers: Timers,
  fault: () => Promise<void>,
): Promise<readonly UdpProbeReport[]> {
  for (let tries = 1; ; tries++) {
    try {
      const lost = lostOf(await underTraffic(stage, pairs, () => timers.sleep(stage.trafficMs)));
      if (lost > 0) throw new LossyControl(lost);
      return await underTraffic(stage, pairs, () => Promise.all([fault(), timers.sleep(stage.trafficMs)]));
    } catch (error) {
      if (!(error instanceof VoidRun || error instanceof LossyControl) || tries === TRIES) throw error;
    }
  }
}

export function lostOf(reports: readonly UdpProbeReport[]): number {
  return reports.reduce((sum, { missing }) => sum + missing.length, 0);
}

async function underTraffic(
  stage: Stage,
  pairs: Pairs,
  work: () => Promise<unknown>,
): Promise<readonly UdpProbeReport[]> {
  const probes = await Promise.all(pairs.map(([from, to]) => stage.probe(from, to)));
  const [worked] = await Promise.allSettled([work()]);
  const stopped = await Promise.allSettled(probes.map((probe) => probe.stop()));
  if (worked.status === 'rejected') throw worked.reason as Error;
  return stopped.map((result) => {
    if (result.status === 'rejected') throw result.reason as Error;
    return result.value;
  });
}
