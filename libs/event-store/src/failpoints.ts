import { writeSync } from 'node:fs';

/** Places where a test may let the process die, stall or fail. */
export const FAILPOINTS = [
  'append/before-commit',
  'append/after-commit',
  'seal/before-commit',
  'seal/after-commit',
  'rebuild/after-start',
  'rebuild/while-reading',
  'rebuild/while-loading',
  'rebuild/before-catch-up',
  'rebuild/before-swap-commit',
  'rebuild/after-swap-commit',
  'rebuild/while-sweeping',
  'prune/after-horizon',
  'prune/while-deleting',
] as const;

export type Failpoint = (typeof FAILPOINTS)[number];

interface Action {
  readonly mode: 'exit' | 'throw' | 'sleep';
  readonly ms: number;
  /** Acts at this hit and at none before. */
  hitsLeft: number;
}

const SPEC = /^([a-z/-]+)=(exit|throw|sleep)(?::(\d+))?(?:@(\d+))?$/;

export class FailpointHit extends Error {
  readonly code = 'WEIR_FAILPOINT';
}

/** Off unless named: `append/before-commit=exit,seal/after-commit=sleep:50,prune/while-deleting=throw@3` (at the third hit). */
export class Failpoints {
  private readonly armed = new Map<string, Action>();

  constructor(spec = '') {
    for (const entry of spec.split(',').filter((part) => part !== '')) {
      const [, name = '', mode, ms, hit] = SPEC.exec(entry) ?? [];
      if (!FAILPOINTS.some((point) => point === name)) throw new TypeError(`Not a failpoint: ${entry}`);
      this.armed.set(name, { mode: mode as Action['mode'], ms: Number(ms ?? 0), hitsLeft: Number(hit ?? 1) });
    }
  }

  at(name: Failpoint): void {
    const action = this.armed.get(name);
    if (!action || --action.hitsLeft > 0) return;
    switch (action.mode) {
      case 'exit':
        writeSync(2, `failpoint ${name}\n`);
        // exit() in a worker thread would end the thread alone.
        process.kill(process.pid, 'SIGKILL');
        return;
      case 'throw':
        throw new FailpointHit(`The failpoint ${name} was hit`);
      case 'sleep':
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, action.ms);
    }
  }
}
