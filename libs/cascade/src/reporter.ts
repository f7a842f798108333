import type { Cancel, Clock, Logger, Timers } from '@weir/kernel';
import type { Cursor, FollowerSink } from './ports';
import { HEARTBEAT_MS, type Observation, type Report } from './protocol';

/** One report's share: well below the publisher's limit of 16 MiB and 10,000 observations. */
const MAX_OBSERVATIONS = 5000;
const MAX_REPORT_CHARACTERS = 2 * 1024 * 1024;

/** `refused`: sending the same again would be answered the same. */
export type Delivery = 'delivered' | 'refused' | 'failed';

export interface ReporterOptions {
  readonly sink: Pick<FollowerSink, 'cursor' | 'settled' | 'observations'>;
  readonly deliver: (report: Report) => Promise<Delivery>;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
}

/** Sends reports while connected, one at a time: at once when asked, observations at most once a second, and a heartbeat each second. */
export class Reporter {
  /** What was observed and not delivered yet; a later value replaces an earlier one. */
  private readonly pending = new Map<string, Observation>();
  private open = false;
  private whole = false;
  private wanted: 'at once' | 'soon' | undefined;
  private sending = false;
  private lastSent = -Infinity;
  private lastObserved = -Infinity;
  private cancel: Cancel = () => undefined;
  /** What the publisher knows. */
  private delivered: { readonly cursor: Cursor; readonly settled: number } | undefined;

  constructor(private readonly options: ReporterOptions) {}

  get known(): { readonly cursor: Cursor; readonly settled: number } | undefined {
    return this.delivered;
  }

  connected(): void {
    this.open = true;
    this.whole = true;
    this.delivered = undefined;
    this.atOnce();
  }

  disconnected(): void {
    this.open = false;
    this.cancel();
  }

  atOnce(): void {
    this.wanted = 'at once';
    this.schedule();
  }

  soon(): void {
    this.wanted ??= 'soon';
    this.schedule();
  }

  private schedule(): void {
    this.cancel();
    if (!this.open || this.sending) return;
    const now = this.options.clock.monotonic();
    const heartbeat = this.lastSent + HEARTBEAT_MS;
    const due =
      this.wanted === 'at once'
        ? now
        : this.wanted === 'soon'
          ? Math.min(heartbeat, this.lastObserved + HEARTBEAT_MS)
          : heartbeat;
    this.cancel = this.options.timers.after(Math.max(0, due - now), () => void this.send());
  }

  private async send(): Promise<void> {
    this.sending = true;
    this.wanted = undefined;
    this.lastSent = this.options.clock.monotonic();
    try {
      const report = this.collect();
      if (this.pending.size > 0) this.lastObserved = this.lastSent;
      for (const observations of this.portions()) {
        const delivery = await this.options.deliver({ ...report, observations });
        if (delivery === 'failed') break;
        this.forget(observations);
        if (delivery === 'delivered') this.delivered = report;
      }
    } catch (error) {
      this.options.logger.error('What is to be reported could not be collected', { error });
    } finally {
      this.sending = false;
      this.schedule();
    }
  }

  private collect(): { cursor: Cursor; settled: number } {
    const { sink } = this.options;
    const { position, digest } = sink.cursor();
    for (const observation of sink.observations(this.whole)) this.pending.set(key(observation), observation);
    this.whole = false;
    return { cursor: { position, digest }, settled: Math.min(sink.settled(), position) };
  }

  /** All that is pending, cut into reports; at least one, which is then the heartbeat. */
  private portions(): Observation[][] {
    const portions: Observation[][] = [];
    let portion: Observation[] = [];
    let characters = 0;
    for (const observation of this.pending.values()) {
      const length = JSON.stringify(observation).length;
      if (portion.length >= MAX_OBSERVATIONS || (portion.length > 0 && characters + length > MAX_REPORT_CHARACTERS)) {
        portions.push(portion);
        portion = [];
        characters = 0;
      }
      portion.push(observation);
      characters += length;
    }
    portions.push(portion);
    return portions;
  }

  private forget(observations: readonly Observation[]): void {
    for (const observation of observations) {
      if (this.pending.get(key(observation)) === observation) this.pending.delete(key(observation));
    }
  }
}

const key = (observation: Observation): string => `${observation.kind}\n${observation.id}`;
