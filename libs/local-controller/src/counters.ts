import type { FlowChange } from '@weir/openflow';
import type { ObservationValue } from '@weir/topology';

/** What this host did since its process started. */
export class Counters {
  private readonly messages = new Map<string, number>();
  private readonly punts = new Map<string, number>();
  private flowsAdded = 0;
  private flowsModified = 0;
  private flowsRemoved = 0;
  private bundles = 0;

  countMessage(kind: string): void {
    this.messages.set(kind, (this.messages.get(kind) ?? 0) + 1);
  }

  countPunt(reason: string): void {
    this.punts.set(reason, (this.punts.get(reason) ?? 0) + 1);
  }

  countCommit(change: FlowChange): void {
    this.bundles++;
    this.flowsAdded += change.add.length;
    this.flowsModified += change.modify.length;
    this.flowsRemoved += change.remove.length;
  }

  /** `flows`: how many there should be now. */
  take(flows: number): ObservationValue<'metrics'> {
    const { flowsAdded, flowsModified, flowsRemoved, bundles } = this;
    return {
      messages: Object.fromEntries(this.messages),
      punts: Object.fromEntries(this.punts),
      flowsAdded,
      flowsModified,
      flowsRemoved,
      bundles,
      flows,
    };
  }
}
