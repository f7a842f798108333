import { AdoptionConflicts } from '@weir/domain';
import { canonicalJson, type Random, type UserId, WeirError } from '@weir/kernel';
import type { BottomProcess } from './bottom-process';
import type { Ground } from './ground';
import type { TopProcess } from './top-process';

/** How often an operator looks. */
const LOOK_MS = 1000;

/** Sees that a Top is in quarantine, holds that nothing below changes meanwhile, and decides sooner or later. */
export class Operator {
  private readonly random: Random;
  private readonly origin;
  private isDeciding = false;
  private wantsDiscard: boolean;
  /** What the sites held when it was looked at last. */
  private seen: string | undefined;

  constructor(
    private readonly ground: Ground,
    private readonly top: TopProcess,
    private readonly bottoms: readonly BottomProcess[],
  ) {
    this.random = ground.random('operator');
    this.wantsDiscard = this.random.integer(2) === 0;
    const actor = this.random.uuid() as UserId;
    this.origin = { requestId: 'req-operator', actor, projectId: undefined };
    this.lookAgain();
  }

  private lookAgain(): void {
    this.ground.timers.after(LOOK_MS, () => {
      this.look();
      this.lookAgain();
    });
  }

  private look(): void {
    const { running } = this.top;
    if (running?.core.quarantine.active !== true || this.isDeciding) {
      this.seen = undefined;
      return;
    }
    const held = canonicalJson(this.bottoms.map(({ disk, losses }) => ({ losses, standing: disk.standing() })));
    const before = this.seen;
    this.seen = held;
    if (before === undefined) return;
    if (held !== before && this.lossesOf(before) === this.lossesOf(held))
      this.ground.violated(`in quarantine something was published: ${before} became ${held}`);
    if (this.random.integer(3) === 0) this.decide(running);
  }

  private lossesOf(held: string): string {
    return (JSON.parse(held) as { readonly losses: number }[]).map(({ losses }) => losses).join();
  }

  private decide({ core, life }: NonNullable<TopProcess['running']>): void {
    const by = this.wantsDiscard ? 'discard' : 'adopt';
    const { trace } = this.ground;
    this.isDeciding = true;
    trace.tell('operator', `wants to ${by}`);
    const decided = core.reconciliation[by](this.origin, { sites: 'all', force: false });
    void Promise.race([decided, life.death]).then(
      () => {
        trace.tell('operator', `is done: ${by}`);
        this.wantsDiscard = this.random.integer(2) === 0;
        this.isDeciding = false;
      },
      (error: unknown) => {
        this.isDeciding = false;
        if (!life.alive) return;
        trace.tell('operator', `is refused to ${by}: ${error instanceof Error ? error.message : String(error)}`);
        if (!(error instanceof WeirError)) this.ground.violated(`asked to ${by}, the Top failed: ${String(error)}`);
        if (error instanceof AdoptionConflicts) this.wantsDiscard = true;
      },
    );
  }
}
