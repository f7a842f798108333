import { Tool, PYTHON, toolPath } from './tool';
import { run } from './run';
import { waitFor } from './wait-for';

export interface CapturedFrame {
  /** `in`: the interface received it; `out`: its own namespace sent it. */
  readonly direction: 'in' | 'out';
  /** Milliseconds since the epoch, by the kernel. */
  readonly at: number;
  /** From the Ethernet header on, without the checksum; VLAN tags are in place. */
  readonly bytes: Buffer;
}

export type FramePredicate = (frame: CapturedFrame) => boolean;

export interface Capture {
  /** What was seen so far, oldest first. */
  readonly frames: readonly CapturedFrame[];
  /** The first frame, seen already or still to come, that satisfies the predicate. */
  waitFor(predicate: FramePredicate, options?: { what?: string; deadlineMs?: number }): Promise<CapturedFrame>;
  /** Forgets what was seen so far. */
  clear(): void;
  /** Ends the capture; answers everything seen, also what arrived just before. */
  stop(): Promise<readonly CapturedFrame[]>;
}

const HEADER_BYTES = 13;
const READY = 2;

/** Captures on one interface (`device`) of a namespace. It sees every frame from the moment this resolves. */
export async function capture(netns: string, device: string, filter: FramePredicate = () => true): Promise<Capture> {
  const frames: CapturedFrame[] = [];
  let rest: Buffer = Buffer.alloc(0);
  let onReady: () => void = () => undefined;
  const ready = new Promise<void>((resolve) => (onReady = resolve));
  const tool = new Tool('capture.py', netns, [device], (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= HEADER_BYTES) {
      const length = rest.readUInt32BE(9);
      if (rest.length < HEADER_BYTES + length) break;
      const kind = rest.readUInt8(0);
      const at = Number(rest.readBigUInt64BE(1) / 1000n) / 1000;
      const bytes = Buffer.from(rest.subarray(HEADER_BYTES, HEADER_BYTES + length));
      rest = rest.subarray(HEADER_BYTES + length);
      if (kind === READY) {
        onReady();
        continue;
      }
      const frame: CapturedFrame = { direction: kind === 1 ? 'out' : 'in', at, bytes };
      if (filter(frame)) frames.push(frame);
    }
  });
  await tool.until(ready);
  return {
    frames,
    waitFor: (predicate, { what = 'a matching frame', deadlineMs = 5_000 } = {}) =>
      waitFor(() => frames.find(predicate), { what: `${what} on ${device} of ${netns}`, deadlineMs }),
    clear: () => void frames.splice(0),
    stop: async () => {
      await tool.finish('stop');
      return frames;
    },
  };
}

/** Sends raw Ethernet frames out of an interface (`device`) of a namespace, in order; resolves when all are sent. */
export async function inject(netns: string, device: string, frames: readonly Buffer[]): Promise<void> {
  const input = Buffer.concat(
    frames.flatMap((frame) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(frame.length);
      return [length, frame];
    }),
  );
  await run(PYTHON, ['-I', '-S', toolPath('inject.py'), device], { netns, input });
}
