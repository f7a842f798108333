import { randomBytes } from 'node:crypto';
import { WeirError } from '@weir/kernel';
import { LineTool } from './tool';

export interface ProbeEnd {
  readonly netns: string;
  readonly address: string;
}

export interface UdpProbeOptions {
  readonly from: ProbeEnd;
  readonly to: ProbeEnd;
  /** Datagrams a second; 100 unless said. */
  readonly pps?: number;
}

export interface UdpProbeReport {
  readonly sent: number;
  /** How many different ones arrived. */
  readonly received: number;
  /** The numbers, from 0, of those that never arrived, ascending. */
  readonly missing: readonly number[];
  readonly duplicates: number;
  /** Datagrams a second that the sender really reached. */
  readonly rate: number;
  /** The longest time between two arrivals. */
  readonly longestSilenceMs: number;
  /** Sends that the sender's own kernel refused (no route, say); they are among the missing. */
  readonly sendErrors: number;
  readonly lastSendError: string | null;
}

export interface UdpProbe {
  /** Ends the sender, gives the last datagrams time to arrive, and reports. Rejects with VoidRun. */
  stop(): Promise<UdpProbeReport>;
}

/** The sender was too slow for its report to prove anything: below 95 % of the rate asked for. */
export class VoidRun extends WeirError {
  constructor(
    readonly report: UdpProbeReport,
    pps: number,
  ) {
    super('unavailable', `The probe reached ${report.rate.toFixed(1)} of ${pps} datagrams a second; its run is void.`, {
      fields: { report },
    });
  }
}

const DEFAULT_PPS = 100;
const VALID_SHARE = 0.95;
/** What is under way when the sender stops arrives within this, or is lost. */
const GRACE_MS = 1_000;

interface SenderReport {
  readonly sent: number;
  readonly rate: number;
  readonly errors: number;
  readonly lastError: string | null;
}

type ReceiverReport = Pick<UdpProbeReport, 'received' | 'missing' | 'duplicates' | 'longestSilenceMs'>;

/** Sends numbered datagrams one way, from one namespace to another, until it is stopped. Resolves behind the first one sent. */
export async function startUdpProbe(options: UdpProbeOptions): Promise<UdpProbe> {
  const { from, to, pps = DEFAULT_PPS } = options;
  const token = randomBytes(8).toString('hex');
  const receiver = new LineTool('udp-receiver.py', to.netns, [to.address, token]);
  const { port } = await receiver.next<{ port: number }>();
  const sender = new LineTool('udp-sender.py', from.netns, [
    from.address,
    to.address,
    String(port),
    String(pps),
    token,
  ]);
  try {
    await sender.next();
  } catch (error) {
    await receiver.kill();
    throw error;
  }
  return {
    stop: async () => {
      try {
        const { sent, rate, errors, lastError } = await sender.finish<SenderReport>('stop');
        const arrived = await receiver.finish<ReceiverReport>(JSON.stringify({ sent, graceMs: GRACE_MS }));
        const report = { sent, rate, ...arrived, sendErrors: errors, lastSendError: lastError };
        if (rate < pps * VALID_SHARE) throw new VoidRun(report, pps);
        return report;
      } finally {
        await Promise.all([sender.kill(), receiver.kill()]);
      }
    },
  };
}
