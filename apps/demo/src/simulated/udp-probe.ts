import type { Cancel, Clock, Ip, Timers } from '@weir/kernel';
import { type UdpProbe, VoidRun } from '@weir/lab';
import type { SimulatedGuest } from '@weir/site-drivers/simulated';

const PPS = 100;
const VALID_SHARE = 0.95;
/** Between looks at how many are due. */
const TICK_MS = 5;
/** What is under way when the sender stops arrives within this, or is lost. */
const GRACE_MS = 50;
const SOURCE_PORT = 9_000;

interface End {
  readonly guest: SimulatedGuest;
  readonly ip: Ip;
}

/** As `startUdpProbe` of the lab, between two simulated instances. */
export function startProbe(
  from: End,
  to: End,
  { clock, timers }: { readonly clock: Clock; readonly timers: Timers },
): UdpProbe {
  const seen = new Set<number>();
  const started = clock.monotonic();
  let [sent, sendErrors, duplicates, longestSilenceMs] = [0, 0, 0, 0];
  let [lastArrival, lastLook] = [started, started];
  const socket = to.guest.listen(({ payload }) => {
    const now = clock.monotonic();
    longestSilenceMs = Math.max(longestSilenceMs, now - lastArrival);
    lastArrival = now;
    const number = new DataView(payload.buffer, payload.byteOffset, payload.byteLength).getUint32(0);
    if (seen.has(number)) duplicates++;
    seen.add(number);
  });
  const send = () => {
    lastLook = clock.monotonic();
    const due = Math.floor(((lastLook - started) / 1_000) * PPS) + 1;
    while (sent < due) {
      const payload = new Uint8Array(4);
      new DataView(payload.buffer).setUint32(0, sent++);
      if (!from.guest.sendDatagram(SOURCE_PORT, to.ip, socket.port, payload)) sendErrors++;
    }
    cancel = timers.after(TICK_MS, send);
  };
  let cancel: Cancel = () => undefined;
  send();
  return {
    stop: async () => {
      cancel();
      await timers.sleep(GRACE_MS);
      socket.close();
      const missing = Array.from({ length: sent }, (_, number) => number).filter((number) => !seen.has(number));
      const lastSendError = sendErrors > 0 ? 'Network is unreachable' : null;
      const rate = sent / ((lastLook - started) / 1_000);
      const report = {
        ...{ sent, received: seen.size, missing, duplicates, rate, longestSilenceMs, sendErrors, lastSendError },
      };
      if (rate < PPS * VALID_SHARE) throw new VoidRun(report, PPS);
      return report;
    },
  };
}
