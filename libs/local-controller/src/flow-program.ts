import type { Logger } from '@weir/kernel';
import {
  ConnectionClosed,
  difference,
  type FlowChange,
  groupDifference,
  meterDifference,
  type Switch,
} from '@weir/openflow';
import {
  Compiler,
  type EnvironmentChange,
  KEY_KINDS,
  KeyAllocator,
  type KeyedBatch,
  OWNER_KINDS,
  type SerializedKeys,
  TABLES,
} from '@weir/pipeline';
import type { FactChange } from '@weir/topology';
import type { Counters } from './counters';

export interface FlowProgramOptions {
  readonly keys: SerializedKeys | undefined;
  /** Keys are kept before a bundle uses them. */
  readonly saveKeys: (keys: SerializedKeys) => void;
  readonly counters: Counters;
  readonly logger: Logger;
  /** The switch has everything that was submitted, after a time in which it had not. */
  readonly onSynced: () => void;
}

interface Input {
  readonly facts: readonly FactChange[];
  readonly environment: readonly EnvironmentChange[];
  readonly allow: boolean;
  done(programmed: boolean): void;
  failed(error: unknown): void;
}

/** The upper bits of a cookie say the kind of its owner. */
const COOKIE_KIND_SHIFT = 48n;
const COOKIE_KINDS = new Set<bigint>(Object.values(OWNER_KINDS).map(BigInt));

/**
 * Keeps the flows of one bridge as its facts want them. One commit at a time; what comes in meanwhile is compiled together and goes into
 * the next bundle. Whenever it is not known what the switch has (a new connection, a failure), everything is read back and compared.
 */
export class FlowProgram {
  readonly compiler = new Compiler();
  private readonly allocator: KeyAllocator;
  private readonly inputs: Input[] = [];
  private bridge: Switch | undefined;
  private allowed = false;
  private synced = false;
  private working = false;
  /** A failure is not repeated at once. */
  private failed = false;
  private unreleased: KeyedBatch | undefined;
  private cleaned = false;
  private flows: number | undefined;

  constructor(private readonly options: FlowProgramOptions) {
    this.allocator = restored(options.keys, options.logger);
  }

  /** The switch has what was submitted and compiled so far. */
  get inSync(): boolean {
    return this.synced;
  }

  /** Flows may be changed: a caught-up mark came, or the bridge had none of ours. */
  get mayChange(): boolean {
    return this.allowed;
  }

  get flowCount(): number {
    return (this.flows ??= this.compiler.plan().flows.length);
  }

  get keys(): SerializedKeys {
    return this.allocator.serialize();
  }

  /**
   * Resolves when this is compiled, and true when the switch has it. With `allow`, flows may be changed from here on. Rejects only where
   * facts cannot be taken at all.
   */
  submit(
    facts: readonly FactChange[],
    environment: readonly EnvironmentChange[] = [],
    allow = false,
  ): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.inputs.push({ facts, environment, allow, done: resolve, failed: reject });
      this.failed = false;
      void this.work();
    });
  }

  /** What the switch would be given for these after all that was submitted; nothing is kept of it, and no number stays allotted. */
  rehearse(facts: readonly FactChange[], environment: readonly EnvironmentChange[]): FlowChange {
    const { compiler, allocator } = this;
    const apply = (inputs: Pick<Input, 'facts' | 'environment'>): FlowChange =>
      compiler.apply(inputs.facts, [...allocator.follow(inputs.facts).changes, ...inputs.environment]);
    return allocator.rehearse(() =>
      compiler.rehearse(() => {
        for (const input of this.inputs) apply(input);
        return apply({ facts, environment });
      }),
    );
  }

  /** Commits go to this switch from now on; nothing is known of what it has. */
  attach(bridge: Switch): void {
    this.bridge = bridge;
    this.synced = false;
    this.failed = false;
    void this.work();
  }

  detach(): void {
    this.bridge = undefined;
    this.synced = false;
  }

  allow(): void {
    if (this.allowed) return;
    this.allowed = true;
    void this.work();
  }

  /** Compares once more if something failed. */
  retry(): void {
    this.failed = false;
    void this.work();
  }

  private async work(): Promise<void> {
    if (this.working) return;
    this.working = true;
    try {
      while (this.inputs.length > 0 || (this.bridge && this.allowed && !this.synced && !this.failed)) {
        const inputs = this.inputs.splice(0);
        const programmed = await this.takeOver(inputs);
        for (const input of inputs) input.done(programmed);
      }
    } finally {
      this.working = false;
    }
  }

  private async takeOver(inputs: Input[]): Promise<boolean> {
    let change: FlowChange;
    try {
      change = this.compile(inputs);
    } catch (error) {
      this.synced = false;
      this.failed = true;
      for (const input of inputs.splice(0)) input.failed(error);
      return false;
    }
    if (!isEmpty(change)) this.flows = undefined;
    const { bridge } = this;
    if (!bridge || !this.allowed) return false;
    const wasSynced = this.synced;
    try {
      await this.commit(bridge, wasSynced ? change : await this.whatDiffers(bridge));
      if (bridge !== this.bridge) return false;
      this.synced = true;
      await this.release(bridge);
    } catch (error) {
      this.synced = false;
      // Another connection may have come meanwhile: that one has not failed.
      this.failed = bridge === this.bridge;
      const { logger } = this.options;
      if (error instanceof ConnectionClosed) logger.info('The switch went away during a change', { error });
      else logger.error('The switch did not take a change; it is compared and tried again', { error });
      return false;
    }
    if (!wasSynced) this.options.onSynced();
    return this.synced;
  }

  private compile(inputs: readonly Input[]): FlowChange {
    const facts = inputs.flatMap((input) => input.facts);
    const keyed = this.allocator.follow(facts);
    const { keys } = this.compiler.environment;
    const isNew = keyed.changes.some(
      (change) => change.type === 'key' && keys[change.kind].get(change.id) !== change.key,
    );
    if (isNew) this.options.saveKeys(this.keys);
    this.unreleased = keyed;
    if (inputs.some((input) => input.allow)) this.allowed = true;
    return this.compiler.apply(facts, [...keyed.changes, ...inputs.flatMap((input) => input.environment)]);
  }

  /** Read by table: a dump of all at once would hold up forwarding. */
  private async whatDiffers(bridge: Switch): Promise<FlowChange> {
    const present = [];
    for (const { number } of TABLES) present.push(...(await bridge.flows(number)).map(({ flow }) => flow));
    const [groups, meters] = [await bridge.groups(), await bridge.meters()];
    const plan = this.compiler.plan();
    const groupChange = groupDifference(plan.groups, groups);
    const change = {
      ...difference(plan.flows, present),
      ...groupChange,
      // The tail of a chain comes before the group that names it.
      addGroups: groupChange.addGroups.toReversed(),
      modifyGroups: groupChange.modifyGroups.toReversed(),
      ...meterDifference(plan.meters, meters),
    };
    this.options.logger.info('The flows of the switch were read back', {
      present: present.length,
      added: change.add.length,
      modified: change.modify.length,
      removed: change.remove.length,
    });
    return change;
  }

  private async commit(bridge: Switch, change: FlowChange): Promise<void> {
    if (isEmpty(change)) return;
    await bridge.commit(change);
    if (hasBundle(change)) this.options.counters.countCommit(change);
  }

  /** No row of the switch names the numbers of what is gone any more. */
  private async release(bridge: Switch): Promise<void> {
    const changes = [...(this.unreleased?.release() ?? []), ...this.forgotten()];
    this.unreleased = undefined;
    if (changes.length === 0) return;
    this.options.saveKeys(this.keys);
    await this.commit(bridge, this.compiler.apply([], changes));
  }

  /** Keys that were stored for things which went while nobody looked; once is enough. */
  private forgotten(): EnvironmentChange[] {
    if (this.cleaned) return [];
    this.cleaned = true;
    const changes: EnvironmentChange[] = [];
    for (const kind of KEY_KINDS) {
      for (const id of [...this.allocator.keys[kind].keys()]) {
        if (this.compiler.slice.get(kind, id) !== undefined) continue;
        this.allocator.release(kind, id);
        changes.push({ type: 'key', kind, id, key: undefined });
      }
    }
    return changes;
  }
}

/** Whether the bridge has been programmed by us since its switch was started. */
export async function hasOurFlows(bridge: Switch): Promise<boolean> {
  const first = await bridge.flows(0);
  return first.some(({ flow }) => COOKIE_KINDS.has(flow.cookie >> COOKIE_KIND_SHIFT));
}

function restored(keys: SerializedKeys | undefined, logger: Logger): KeyAllocator {
  try {
    return KeyAllocator.restore(keys ?? {});
  } catch (error) {
    logger.error('The stored numbers cannot be used; new ones are given', { error });
    return new KeyAllocator();
  }
}

function hasBundle(change: FlowChange): boolean {
  const { add, modify, remove, addGroups, modifyGroups, removeGroups } = change;
  return [add, modify, remove, addGroups, modifyGroups, removeGroups].some((list) => list.length > 0);
}

function isEmpty(change: FlowChange): boolean {
  return !hasBundle(change) && change.addMeters.length === 0 && change.removeMeters.length === 0;
}
