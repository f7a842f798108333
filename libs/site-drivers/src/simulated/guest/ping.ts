import type { Cancel, Clock, Ip, Random, Timers } from '@weir/kernel';
import { ICMP, type IcmpMessage, type Ipv4Packet } from '@weir/packet';
import type { Stack } from './stack';

export interface EchoOptions {
  readonly count: number;
  readonly intervalMs: number;
  /** How long the answers are waited for behind the last question. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  readonly told?: (news: EchoNews) => void;
}

export type EchoNews =
  | {
      readonly type: 'answer';
      readonly from: Ip;
      readonly sequence: number;
      readonly ttl: number;
      readonly ms: number;
      readonly isDuplicate: boolean;
    }
  | { readonly type: 'error'; readonly from: Ip; readonly sequence: number; readonly text: string };

export interface EchoReport {
  readonly sent: number;
  /** Different answers. */
  readonly received: number;
  readonly duplicates: number;
  readonly errors: number;
  /** In milliseconds, in the order of arrival. */
  readonly rtts: readonly number[];
  readonly ms: number;
}

/** As ping has it: 56 bytes of data. */
export const ECHO_DATA_BYTES = 56;
const UNREACHABLE_TEXTS = [
  'Destination Net Unreachable',
  'Destination Host Unreachable',
  'Destination Protocol Unreachable',
  'Destination Port Unreachable',
];

/** Asks for echoes from inside an instance. Lost answers are a result, not an error. */
export function ping(
  stack: Stack,
  ports: { readonly clock: Clock; readonly timers: Timers; readonly random: Random },
  target: Ip,
  options: EchoOptions,
): Promise<EchoReport> {
  return new Echo(stack, ports, target, options).run();
}

class Echo {
  private readonly identifier: number;
  private readonly sentAt = new Map<number, number>();
  private readonly answered = new Set<number>();
  private readonly failed = new Set<number>();
  private readonly rtts: number[] = [];
  private duplicates = 0;
  private sent = 0;
  private wake: Cancel = () => undefined;

  constructor(
    private readonly stack: Stack,
    private readonly ports: { readonly clock: Clock; readonly timers: Timers; readonly random: Random },
    private readonly target: Ip,
    private readonly options: EchoOptions,
  ) {
    this.identifier = ports.random.integer(0x1_0000);
  }

  async run(): Promise<EchoReport> {
    const { count, intervalMs, timeoutMs, signal } = this.options;
    const started = this.ports.clock.monotonic();
    const cancels = [
      this.stack.onIcmp((message, packet) => this.receive(message, packet)),
      this.stack.onUnresolved((packet) => this.unresolved(packet)),
    ];
    const wake = () => this.wake();
    signal?.addEventListener('abort', wake);
    try {
      while (this.sent < count && !this.isAborted) {
        this.ask();
        if (this.sent < count) await this.wait(intervalMs, () => false);
      }
      if (!this.isAborted) await this.wait(timeoutMs, () => this.answered.size + this.failed.size >= this.sent);
    } finally {
      for (const cancel of cancels) cancel();
      signal?.removeEventListener('abort', wake);
    }
    const { sent, duplicates, rtts, failed } = this;
    const ms = this.ports.clock.monotonic() - started;
    return { sent, received: this.answered.size, duplicates, errors: failed.size, rtts, ms };
  }

  private get isAborted(): boolean {
    return this.options.signal?.aborted === true;
  }

  private ask(): void {
    const sequence = ++this.sent & 0xffff;
    this.sentAt.set(sequence, this.ports.clock.monotonic());
    const data = new Uint8Array(ECHO_DATA_BYTES);
    const { identifier } = this;
    this.stack.send(this.target, { kind: 'icmp', type: 'echo-request', identifier, sequence, data });
  }

  /** Until then, or until it is so. */
  private wait(ms: number, isDone: () => boolean): Promise<void> {
    if (isDone()) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.ports.timers.after(ms, resolve);
      this.wake = () => {
        if (!isDone() && !this.isAborted) return;
        cancel();
        resolve();
      };
    });
  }

  private receive(message: IcmpMessage, { source, ttl }: Ipv4Packet): void {
    if (message.kind !== 'icmp') return;
    if (message.type === 'echo-reply') {
      if (message.identifier === this.identifier) this.answer(source, message.sequence, ttl);
    } else if (message.type === 'unreachable' || message.type === 'time-exceeded') {
      const text =
        message.type === 'time-exceeded'
          ? 'Time to live exceeded'
          : (UNREACHABLE_TEXTS[message.code] ?? `Destination Unreachable, code ${message.code}`);
      this.fail(source, this.quoted(message.original), text);
    }
  }

  private answer(from: Ip, sequence: number, ttl: number): void {
    const sentAt = this.sentAt.get(sequence);
    if (sentAt === undefined) return;
    const isDuplicate = this.answered.has(sequence);
    const ms = this.ports.clock.monotonic() - sentAt;
    if (isDuplicate) this.duplicates++;
    else this.rtts.push(ms);
    this.answered.add(sequence);
    this.options.told?.({ type: 'answer', from, sequence, ttl, ms, isDuplicate });
    this.wake();
  }

  private unresolved(packet: Ipv4Packet): void {
    if (packet.destination === this.target && packet.payload.kind === 'icmp')
      this.fail(packet.source, this.sequenceOf(packet.payload), UNREACHABLE_TEXTS[1] ?? '');
  }

  private fail(from: Ip, sequence: number | undefined, text: string): void {
    if (sequence === undefined || !this.sentAt.has(sequence)) return;
    this.failed.add(sequence);
    this.options.told?.({ type: 'error', from, sequence, text });
    this.wake();
  }

  /** An error quotes the start of what it is about, which may be cut: the echo's header is what it needs. */
  private quoted(original: Uint8Array): number | undefined {
    if (original.length < 28 || original[9] !== ICMP) return undefined;
    const header = ((original[0] ?? 0) & 0x0f) * 4;
    const view = new DataView(original.buffer, original.byteOffset, original.byteLength);
    if (original.length < header + 8 || view.getUint16(header + 4) !== this.identifier) return undefined;
    return view.getUint16(header + 6);
  }

  private sequenceOf(payload: Ipv4Packet['payload']): number | undefined {
    return payload.kind === 'icmp' && payload.type === 'echo-request' && payload.identifier === this.identifier
      ? payload.sequence
      : undefined;
  }
}
