import { type ProbeEnd, startUdpProbe, type UdpProbe, VoidRun } from '@weir/lab';
import { startTcpStream } from './tcp-stream';

/** Two ends, and what their way is called. */
export interface Pair {
  readonly kind: string;
  readonly from: ProbeEnd;
  readonly to: ProbeEnd;
  /** Whether each datagram counts; a TCP connection makes up for one that is lost. */
  readonly counted: boolean;
}

export interface Losses {
  /** Sequence numbers of datagrams that never arrived, by kind of pair. */
  readonly lost: Readonly<Record<string, readonly number[]>>;
  /** What ended TCP connections, by kind of pair. */
  readonly reset: Readonly<Record<string, string>>;
}

export const NOTHING_LOST: Losses = { lost: {}, reset: {} };

const TRIES = 3;

/** What is lost of 100 datagrams a second, and of a TCP connection, over each pair while `work` is done. Rejects with VoidRun. */
async function lossesDuring(pairs: readonly Pair[], work: () => Promise<void>): Promise<Losses> {
  const probes = new Map<string, UdpProbe>();
  const streams = await Promise.all(
    pairs.map(async ({ kind, from, to }) => [kind, await startTcpStream(from, to)] as const),
  );
  for (const { kind, from, to } of pairs.filter(({ counted }) => counted))
    probes.set(kind, await startUdpProbe({ from, to }));
  let failure: { readonly error: unknown } | undefined;
  try {
    await work();
  } catch (error) {
    failure = { error };
  }
  const udp = await Promise.allSettled([...probes].map(async ([kind, probe]) => [kind, await probe.stop()] as const));
  const tcp = await Promise.allSettled(streams.map(async ([kind, stream]) => [kind, await stream.stop()] as const));
  if (failure) throw failure.error;
  const lost: Record<string, readonly number[]> = {};
  const reset: Record<string, string> = {};
  for (const result of udp) {
    if (result.status === 'rejected') throw result.reason;
    const [kind, { missing, sent }] = result.value;
    if (missing.length > 0) lost[`${kind}, of ${sent}`] = missing;
  }
  for (const result of tcp) {
    if (result.status === 'rejected') throw result.reason;
    const [kind, { sent, echoed, error }] = result.value;
    if (error !== null || echoed < sent) reset[kind] = error ?? `${echoed} of ${sent} lines came back`;
  }
  return { lost, reset };
}

/**
 * What a fault costs the traffic over these pairs. `work` is done without the fault first: a run whose control loses anything, or
 * whose sender is too slow, proves nothing and is made again, three times at most.
 */
export async function lossesOf(pairs: readonly Pair[], work: (faulty: boolean) => Promise<void>): Promise<Losses> {
  let control: Losses = NOTHING_LOST;
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    try {
      control = await lossesDuring(pairs, () => work(false));
      if (Object.keys(control.lost).length > 0 || Object.keys(control.reset).length > 0) continue;
      return await lossesDuring(pairs, () => work(true));
    } catch (error) {
      if (!(error instanceof VoidRun) || attempt === TRIES) throw error;
    }
  }
  throw new Error(`All ${TRIES} runs are void: without a fault they lost ${JSON.stringify(control)}`);
}
