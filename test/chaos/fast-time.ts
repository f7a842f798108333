import { type Clock, systemClock, systemTimers, type Timers } from '@weir/kernel';

/** Real time, `factor` times as fast: over real sockets, silences of seconds need not take seconds. */
export function fastTime(factor: number): Clock & Timers {
  const [wall, start] = [systemClock.now(), systemClock.monotonic()];
  const passed = (): number => (systemClock.monotonic() - start) * factor;
  return {
    now: () => wall + Math.floor(passed()),
    monotonic: () => passed(),
    after: (ms, action) => systemTimers.after(ms / factor, action),
    sleep: (ms) => systemTimers.sleep(ms / factor),
  };
}
