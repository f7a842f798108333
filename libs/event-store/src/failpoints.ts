import { writeSync } from 'node:fs';

/** Places of the store where a test may let the process die, stall or fail. */
export const STORE_FAILPOINTS = [
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

/** Those of a Top too: one variable names them all, so that a name that nobody has is refused by whoever reads it. */
export const FAILPOINTS = [
  ...STORE_FAILPOINTS,
  'facts/before-commit',
  'facts/after-commit',
  'acknowledgement/before-commit',
  'acknowledgement/after-commit',
  'answer/before-commit',
  'answer/after-commit',
  'identity/passwords-told',
  'identity/written',
] as const;

export type Failpoint = (typeof FAILPOINTS)[number];

interface Action {
  readonly mode: 'exit' | 'throw' | 'sleep';
  readonly ms: number;
  /** Acts at this hit and at none before. */
  hitsLeft: number;
  told: boolean;
}

const SPEC = /^([a-z/-]+)=(exit|throw|sleep)(?::(\d+))?(?:@(\d+))?$/;

export class FailpointHit extends Error {
  readonly code = 'WEIR_FAILPOINT';
}

/** Off unless named, and told on standard error when first hit: `append/before-commit=exit,seal/after-commit=sleep:50,prune/while-deleting=throw@3` (at the third hit). */
export class Failpoints {
  private readonly armed = new Map<string, Action>();

  constructor(spec = '') {
    for (const entry of spec.split(',').filter((part) => part !== '')) {
      const [, name = '', mode, ms, hit] = SPEC.exec(entry) ?? [];
      if (!FAILPOINTS.some((point) => point === name)) throw new TypeError(`Not a failpoint: ${entry}`);
      this.armed.set(name, {
        mode: mode as Action['mode'],
        ms: Number(ms ?? 0),
        hitsLeft: Number(hit ?? 1),
        told: false,
      });
    }
  }

  at(name: Failpoint): void {
    const action = this.armed.get(name);
    if (!action || --action.hitsLeft > 0) return;
    if (!action.told) writeSync(2, `failpoint ${name}\n`);
    action.told = true;
    switch (action.mode) {
      case 'exit':
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
