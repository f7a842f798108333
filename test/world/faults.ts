import { NO_FAULTS, type Link } from '@weir/cascade/memory';
import type { Random } from '@weir/kernel';
import type { BottomProcess } from './bottom-process';
import { between, type Ground, oneOf } from './ground';
import type { HostProcess } from './host-process';
import type { TopCopy } from './disk';
import type { TopProcess } from './top-process';

/** What a sound network does too. */
const CALM = { ...NO_FAULTS, delayMs: [0, 3] } as const;
const HOUR_MS = 60 * 60 * 1000;
const JUMPS_MS = [-720, -2, 2, 720].map((hours) => hours * HOUR_MS);

export interface Struck {
  readonly top: TopProcess;
  readonly bottoms: readonly BottomProcess[];
  readonly hosts: readonly HostProcess[];
  readonly links: readonly { readonly name: string; readonly link: Link }[];
  /** Something was deleted for its users, and its site has yet to say that it is gone. */
  readonly isDeleting: () => boolean;
  /** The Top's log was set back to this position. */
  readonly setBack: (position: number) => void;
}

interface Process {
  readonly isUp: boolean;
  start(): void;
  kill(): void;
}

/** Everything that goes wrong, by chance; `calm` ends it all. */
export class Faults {
  private readonly random: Random;
  /** How to set a host's disk back. */
  private readonly copies = new Map<HostProcess, () => void>();
  private readonly bottomCopies = new Map<BottomProcess, () => void>();
  private topCopy: TopCopy | undefined;
  /** The storms in which one of each lost what it had stored, or was set back: a level and the one below it at once leave nobody who knows. */
  private readonly setBackIn = { top: -1, bottom: -1, host: -1 };
  /** Whatever began before it is over. */
  private storm = 0;

  constructor(
    private readonly ground: Ground,
    private readonly struck: Struck,
  ) {
    this.random = ground.random('faults');
  }

  strike(): void {
    const faults: readonly (readonly [weight: number, fault: () => void])[] = [
      [8, () => this.cut()],
      [8, () => this.silence()],
      [12, () => this.spoil()],
      [8, () => this.swallow()],
      [8, () => this.crash('top', this.struck.top)],
      [8, () => this.crashOf(this.struck.bottoms)],
      [10, () => this.crashOf(this.struck.hosts)],
      [4, () => this.fill()],
      [4, () => this.restartSwitch()],
      [4, () => this.endInstance()],
      [4, () => this.loseBottom()],
      [3, () => this.loseHost()],
      [12, () => this.setBackHost()],
      [12, () => this.setBackTop()],
      [8, () => this.setBackBottom()],
      [5, () => this.twoTops()],
      [3, () => this.jump()],
    ];
    let draw = this.random.integer(faults.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, fault] of faults) if ((draw -= weight) < 0) return fault();
  }

  /** Every line is whole, every disk has room, and every process runs. */
  calm(): void {
    this.storm++;
    this.ground.trace.tell('world', 'calms down');
    const { top, bottoms, hosts, links } = this.struck;
    top.disk.full = false;
    top.endRival();
    for (const { link } of links) {
      link.heal();
      link.faults = CALM;
    }
    for (const process of [top, ...bottoms, ...hosts]) if (!process.isUp) process.start();
  }

  /** A Bottom that was set back has only its Top to tell it so: see "What is not played" in the README. */
  private line() {
    const { links } = this.struck;
    const isNeeded = this.setBackIn.bottom === this.storm && !this.ground.isUntamed;
    return oneOf(this.random, isNeeded ? links.filter(({ name }) => !name.endsWith('–top')) : links);
  }

  private cut(): void {
    const one = this.line();
    if (!one) return;
    this.tell(`the line ${one.name} is cut`);
    one.link.cut();
    this.later(() => {
      this.tell(`the line ${one.name} is whole again`);
      one.link.heal();
    });
  }

  private silence(): void {
    const one = this.line();
    const way = oneOf(this.random, ['down', 'up', 'both'] as const);
    if (!one || !way) return;
    this.tell(`the line ${one.name} carries nothing any more (${way}), and nobody is told`);
    one.link.silence(way);
    this.later(() => {
      this.tell(`the line ${one.name} carries new connections again`);
      one.link.heal();
    });
  }

  private spoil(): void {
    const one = this.line();
    if (!one) return;
    const chance = () => oneOf(this.random, [0, 0, 50, 200, 600]) ?? 0;
    const delayMs = [0, between(this.random, 0, 400)] as const;
    const faults = { lose: chance(), double: chance(), swap: chance(), losePosts: chance(), delayMs };
    const { lose, double, swap, losePosts } = faults;
    this.tell(
      `the line ${one.name} loses ${lose}, doubles ${double}, swaps ${swap} of 1000 lines, loses ${losePosts} of 1000 posts, delays up to ${delayMs[1]} ms`,
    );
    one.link.faults = faults;
    this.later(() => (one.link.faults = CALM));
  }

  /** A run of lines is lost, and nothing of the connection shows it but what comes after. */
  private swallow(): void {
    const one = this.line();
    if (!one) return;
    const ms = between(this.random, 100, 3000);
    this.tell(`the line ${one.name} loses all lines of the next ${ms} ms`);
    one.link.faults = { ...CALM, lose: 1000 };
    this.ground.timers.after(ms, () => (one.link.faults = CALM));
  }

  private crashOf(processes: readonly (Process & { readonly name: string })[]): void {
    const one = oneOf(this.random, processes);
    if (one) this.crash(one.name, one);
  }

  private crash(name: string, process: Process, meanwhile: () => void = () => undefined): void {
    if (!process.isUp || (name === 'top' && this.setBackIn.bottom === this.storm && !this.ground.isUntamed)) return;
    this.tell(`${name} is killed`);
    process.kill();
    meanwhile();
    this.later(() => {
      if (!process.isUp) process.start();
    });
  }

  private fill(): void {
    const { disk } = this.struck.top;
    this.tell("the Top's disk is full");
    disk.full = true;
    this.later(() => {
      this.tell("the Top's disk has room again");
      disk.full = false;
    });
  }

  private restartSwitch(): void {
    const host = oneOf(this.random, this.struck.hosts);
    if (!host || (host.isBehind && !this.ground.isUntamed)) return;
    this.tell(`the switch of ${host.name} restarts, without a flow`);
    host.hardware.switch.restart();
  }

  private endInstance(): void {
    const host = oneOf(this.random, this.struck.hosts);
    const server = oneOf(this.random, host?.hardware.instances.all() ?? []);
    if (!host || !server) return;
    this.tell(`server ${server.server} ends by itself on ${host.name}`);
    host.hardware.instances.end(server.server);
  }

  private loseBottom(): void {
    const bottom = oneOf(this.random, this.struck.bottoms);
    if (!bottom?.isUp || this.setBackIn.top === this.storm) return;
    this.crash(bottom.name, bottom, () => {
      this.tell(`${bottom.name} loses all that it had stored`);
      bottom.lose();
      this.setBackIn.bottom = this.storm;
    });
  }

  private loseHost(): void {
    const host = oneOf(this.random, this.struck.hosts);
    if (!host?.isUp || this.setBackIn.bottom === this.storm) return;
    this.setBackIn.host = this.storm;
    this.crash(host.name, host, () => {
      this.tell(`${host.name} loses all that it had stored`);
      host.lose();
    });
  }

  /** The first time a copy is made, the next time it comes back: also in a later storm. */
  private setBackHost(): void {
    const host = oneOf(this.random, this.struck.hosts);
    if (!host) return;
    const restore = this.copies.get(host);
    if (restore) {
      if (this.setBackIn.bottom === this.storm) return;
      if (host.hardware.switch.flows.length === 0 && !this.ground.isUntamed) return;
      this.setBackIn.host = this.storm;
      this.copies.delete(host);
      this.tell(`the disk of ${host.name} is set back to the copy`);
      host.kill();
      restore();
      host.start();
      return;
    }
    this.tell(`a copy is made of the disk of ${host.name}`);
    this.copies.set(host, host.copy());
  }

  /** As with a host; it comes back with or without what lies beside its log, and may have written on before any site can show what it lacks. */
  private setBackTop(): void {
    const { top, bottoms, links, setBack } = this.struck;
    if (!this.topCopy) {
      this.tell('a copy is made of the disk of the Top');
      this.topCopy = top.copy();
      return;
    }
    if (this.setBackIn.bottom === this.storm || bottoms.some(({ disk }) => disk.standing().starting)) return;
    const copy = this.topCopy;
    this.topCopy = undefined;
    this.setBackIn.top = this.storm;
    const keepFacts = this.random.integer(3) === 0;
    this.tell(
      `the disk of the Top is set back to the copy, at position ${copy.events.length}${keepFacts ? ', but not its facts' : ''}`,
    );
    top.kill();
    top.setBack(copy, keepFacts);
    setBack(copy.events.length);
    if (this.random.integer(2) === 0) {
      const uplinks = links.filter(({ name }) => name.endsWith('–top'));
      this.tell('no site can reach it');
      for (const { link } of uplinks) link.cut();
      this.later(() => {
        for (const { link } of uplinks) link.heal();
      });
    }
    top.start();
  }

  /** Another Top over a copy speaks in the place of ours for a while; ours lives on. */
  private twoTops(): void {
    const { top, bottoms, links } = this.struck;
    if (!this.topCopy) {
      this.tell('a copy is made of the disk of the Top');
      this.topCopy = top.copy();
      return;
    }
    if (this.setBackIn.bottom === this.storm || bottoms.some(({ disk }) => disk.standing().starting)) return;
    this.setBackIn.top = this.storm;
    this.tell(`the sites reach another Top, over the copy at position ${this.topCopy.events.length}`);
    const uplinks = links.filter(({ name }) => name.endsWith('–top'));
    const reconnect = () => {
      for (const { link } of uplinks) link.breakConnections();
    };
    top.beginRival(this.topCopy);
    reconnect();
    this.later(() => {
      this.tell('the sites reach our Top again');
      top.endRival();
      reconnect();
    });
  }

  private setBackBottom(): void {
    const bottom = oneOf(this.random, this.struck.bottoms);
    if (!bottom) return;
    const restore = this.bottomCopies.get(bottom);
    if (!restore) {
      this.tell(`a copy is made of the disk of ${bottom.name}`);
      this.bottomCopies.set(bottom, bottom.copy());
      return;
    }
    if (this.setBackIn.top === this.storm || this.setBackIn.host === this.storm) return;
    if (this.struck.isDeleting() && !this.ground.isUntamed) return;
    if (!this.struck.top.isUp && !this.ground.isUntamed) return;
    for (const { name, link } of this.struck.links) {
      if (!name.endsWith('–top')) continue;
      link.heal();
      link.faults = CALM;
    }
    this.bottomCopies.delete(bottom);
    this.setBackIn.bottom = this.storm;
    this.tell(`the disk of ${bottom.name} is set back to the copy`);
    bottom.kill();
    restore();
    bottom.start();
  }

  private jump(): void {
    const ms = oneOf(this.random, JUMPS_MS) ?? 0;
    this.tell(`the clock on the wall jumps by ${ms} ms`);
    this.ground.time.jump(ms);
  }

  /** Some time later in this storm. */
  private later(action: () => void): void {
    const { storm } = this;
    this.ground.timers.after(between(this.random, 50, 9000), () => {
      if (storm === this.storm) action();
    });
  }

  private tell(what: string): void {
    this.ground.trace.tell('world', what);
  }
}
