import { type Action, canonical, type Field, type Flow, type FlowChange, flowKey, type Group } from '@weir/openflow';
import { type Ip, ipv4FromNumber, ipv4ToNumber, unreachable } from '@weir/kernel';
import { accept } from './accepts';
import { Classifier, type Entry } from './classifier';
import { type FieldValue, Packet, type Register } from './packet';

/** As in Open vSwitch: how deep tables may call earlier ones, and how often a packet may enter a table. */
const MAX_DEPTH = 64;
const MAX_LOOKUPS = 4096;

export interface ModelPort {
  readonly number: number;
  /** A flow-based tunnel port: what leaves by it goes to tun_dst under tun_id. */
  readonly tunnel?: boolean;
}

export interface Arrival {
  readonly inPort: number;
  readonly frame: Uint8Array;
  readonly tunnel?: { readonly id: number; readonly src: Ip };
}

export interface Output {
  readonly port: number;
  readonly frame: Uint8Array;
  readonly tunnel?: { readonly id: number; readonly dst: Ip };
}

/** What the local controller gets, as in NXT_PACKET_IN2; in_port and the registers, those that are absent were 0. */
export interface Punt {
  readonly userdata: string;
  readonly frame: Uint8Array;
  readonly inPort: number;
  readonly registers: { readonly [F in Field]?: bigint };
  readonly table: number;
  readonly cookie: bigint;
  /** The meter in front of it, which the model does not hold against any rate. */
  readonly meter: number | undefined;
}

/** One table's answer; without a flow nothing matched. `notes` say what the actions did that a reader would not expect. */
export interface Step {
  readonly table: number;
  /** How many resubmits and buckets it is inside of. */
  readonly depth: number;
  readonly flow?: Flow;
  readonly notes: readonly string[];
}

export interface Result {
  readonly outputs: readonly Output[];
  readonly punts: readonly Punt[];
  readonly trace: readonly Step[];
}

class TooDeep extends Error {}

/** What one packet has caused so far. */
class Run {
  readonly outputs: Output[] = [];
  readonly punts: Punt[] = [];
  readonly trace: (Step & { notes: string[] })[] = [];

  /** Rehearsals have both in common with what they rehearse for. */
  constructor(
    private readonly lookups: { left: number },
    readonly taken: Entry[] = [],
  ) {}

  lookUp(): void {
    if (this.lookups.left-- === 0) throw new TooDeep(`over ${MAX_LOOKUPS} table look-ups`);
  }

  note(text: string): void {
    this.trace.at(-1)?.notes.push(text);
  }

  /** For a way that the packet does not take: rows count it all the same. */
  rehearsal(): Run {
    return new Run(this.lookups, this.taken);
  }
}

/** Where the actions stand that are being carried out. */
interface Frame {
  readonly table: number;
  readonly cookie: bigint;
  readonly meter: number | undefined;
  readonly depth: number;
  /** Where the packet goes behind them. */
  readonly goto: number | undefined;
  /** They are a table's last word, whose punts come for another reason than those that the connection asks for. */
  readonly miss: boolean;
}

const PACKET_OUT: Frame = { table: 0, cookie: 0n, meter: undefined, depth: 0, goto: undefined, miss: false };

/**
 * Open vSwitch as far as our flows use it: runs flows and groups on real bytes. Meters let everything through; timeouts never run
 * out. Refuses (FlowRefused) what the switch would refuse.
 */
export class SwitchModel {
  private readonly tables = new Map<number, Classifier>();
  private readonly entries = new Map<string, Entry>();
  private readonly groups = new Map<number, Group>();
  private readonly ports = new Map<number, ModelPort>();

  constructor(content: {
    readonly flows: Iterable<Flow>;
    readonly groups: Iterable<Group>;
    readonly ports: Iterable<ModelPort>;
  }) {
    for (const port of content.ports) this.addPort(port);
    for (const group of content.groups) this.groups.set(group.id, group);
    for (const flow of content.flows) this.put(flow);
  }

  addPort(port: ModelPort): void {
    this.ports.set(port.number, port);
  }

  removePort(number: number): void {
    this.ports.delete(number);
  }

  /** A bundle: all of it, or FlowRefused and nothing. */
  apply(change: FlowChange): void {
    const groups = new Set(this.groups.keys());
    for (const { id } of change.addGroups) groups.add(id);
    for (const flow of [...change.add, ...change.modify]) accept(canonical(flow), (id) => groups.has(id));
    for (const group of [...change.addGroups, ...change.modifyGroups]) this.groups.set(group.id, group);
    for (const flow of change.remove) this.remove(flow);
    for (const flow of [...change.add, ...change.modify]) this.put(flow);
    for (const id of change.removeGroups) this.groups.delete(id);
  }

  get flows(): Flow[] {
    return [...this.entries.values()].map(({ flow }) => flow);
  }

  /** The rows with how many packets each took, as Open vSwitch counts. */
  get counters(): { readonly flow: Flow; readonly packets: bigint }[] {
    return [...this.entries.values()].map(({ flow, packets }) => ({ flow, packets }));
  }

  /** How many packets the rows with this cookie took. */
  packetsOf(cookie: bigint): bigint {
    let packets = 0n;
    for (const entry of this.entries.values()) if (entry.flow.cookie === cookie) packets += entry.packets;
    return packets;
  }

  /** A frame that came in by a port. */
  process(arrival: Arrival): Result {
    const fields = new Map<Register, FieldValue>([['in_port', arrival.inPort]]);
    if (arrival.tunnel) {
      fields.set('tun_id', BigInt(arrival.tunnel.id));
      fields.set('tun_src', ipv4ToNumber(arrival.tunnel.src));
    }
    const packet = Packet.of(arrival.frame, fields);
    // The first look-up is nobody's call.
    const run = new Run({ left: MAX_LOOKUPS + 1 });
    translate(run, () => this.lookup(run, packet, 0, 0));
    for (const entry of run.taken) entry.packets++;
    return run;
  }

  /** A frame that the controller sends (PACKET_OUT). */
  execute(frame: Uint8Array, actions: readonly Action[], inPort = 0): Result {
    const packet = Packet.of(frame, new Map<Register, FieldValue>([['in_port', inPort]]));
    const run = new Run({ left: MAX_LOOKUPS });
    // One that is too deep is refused as a whole: no row counts it.
    if (translate(run, () => this.carryOut(run, packet, actions, PACKET_OUT))) {
      for (const entry of run.taken) entry.packets++;
    }
    return run;
  }

  private put(wanted: Flow): void {
    const flow = canonical(wanted);
    accept(flow, (id) => this.groups.has(id));
    const place = flowKey(flow);
    const old = this.entries.get(place);
    if (old) this.tables.get(flow.table)?.remove(old.flow);
    const entry = { flow, packets: old?.flow.cookie === flow.cookie ? old.packets : 0n };
    this.entries.set(place, entry);
    const table = this.tables.get(flow.table) ?? new Classifier();
    this.tables.set(flow.table, table);
    table.add(entry);
  }

  private remove(flow: Flow): void {
    const place = flowKey(flow);
    const entry = this.entries.get(place);
    if (!entry) return;
    this.entries.delete(place);
    this.tables.get(flow.table)?.remove(entry.flow);
  }

  private lookup(run: Run, packet: Packet, table: number, depth: number): void {
    run.lookUp();
    const entry = this.tables.get(table)?.find(packet);
    if (!entry) {
      run.trace.push({ table, depth, notes: ['no row: dropped'] });
      return;
    }
    run.taken.push(entry);
    const { flow } = entry;
    run.trace.push({ table, depth, flow, notes: [] });
    const { cookie, meter, actions, goto, priority, match } = flow;
    const miss = priority === 0 && Object.keys(match).length === 0;
    this.carryOut(run, packet, actions, { table, cookie, meter, depth, goto, miss });
  }

  private carryOut(run: Run, packet: Packet, actions: readonly Action[], frame: Frame): void {
    for (const [index, action] of actions.entries()) {
      switch (action.type) {
        case 'output':
          this.output(run, packet, action.port);
          break;
        case 'controller':
          if (frame.miss) {
            run.note("a punt of a table's miss: nobody asks for it");
            break;
          }
          run.punts.push({
            userdata: action.userdata,
            frame: packet.frame().subarray(0, action.maxLength),
            inPort: Number(packet.read('in_port')),
            registers: packet.told(),
            table: frame.table,
            cookie: frame.cookie,
            meter: action.meter ?? frame.meter,
          });
          break;
        case 'group':
          mayGoOn(frame.depth);
          for (const bucket of this.groups.get(action.group)?.buckets ?? []) {
            this.carryOut(run, packet.clone(), bucket.actions, { ...deeper(frame), goto: undefined });
          }
          break;
        case 'resubmit': {
          mayGoOn(frame.depth);
          const next = action.table <= frame.table ? deeper(frame) : frame;
          this.lookup(run, packet, action.table, next.depth);
          break;
        }
        case 'set_field':
          packet.write(action.field, action.value, action.mask);
          break;
        case 'move':
          packet.writeBits(action.to, packet.readBits(action.from));
          break;
        case 'push':
          packet.push(packet.readBits(action.from));
          break;
        case 'pop': {
          const value = packet.pop();
          if (value !== undefined) packet.writeBits(action.to, value);
          break;
        }
        case 'push_vlan':
          packet.pushTag();
          break;
        case 'pop_vlan':
          packet.popTag();
          break;
        case 'dec_ttl': {
          const ttl = BigInt(packet.read('nw_ttl'));
          if (ttl <= 1n) {
            run.note('time to live is over: dropped');
            return;
          }
          packet.write('nw_ttl', ttl - 1n);
          break;
        }
        case 'check_pkt_larger': {
          // Open vSwitch translates what follows for both answers, "larger" first: both count the packet, either may be too deep,
          // and what called this table sees nothing of what they write.
          const larger = packet.length > action.length;
          for (const answer of [true, false]) {
            const copy = packet.clone();
            copy.writeBits(action.to, answer ? 1n : 0n);
            const follow = (taken: Run): void => this.carryOut(taken, copy, actions.slice(index + 1), frame);
            if (answer === larger) follow(run);
            else follow(run.rehearsal());
          }
          return;
        }
        case 'ct_clear':
          break;
        default:
          unreachable(action);
      }
    }
    if (frame.goto === undefined) return;
    mayGoOn(frame.depth);
    this.lookup(run, packet, frame.goto, frame.depth);
  }

  private output(run: Run, packet: Packet, to: number | 'in_port'): void {
    const inPort = Number(packet.read('in_port'));
    const number = to === 'in_port' ? inPort : to;
    const port = this.ports.get(number);
    if (!port) return run.note(`no port ${number}: dropped`);
    if (number === inPort && to !== 'in_port') return run.note(`not back to port ${number}, where it came from`);
    const frame = packet.frame();
    if (!port.tunnel) {
      run.outputs.push({ port: number, frame });
      return;
    }
    const destination = Number(packet.read('tun_dst'));
    if (destination === 0) return run.note('a tunnel without a destination: dropped');
    run.outputs.push({
      port: number,
      frame,
      tunnel: { id: Number(packet.read('tun_id')), dst: ipv4FromNumber(destination) },
    });
  }
}

/** False where the tables call each other too often: of that Open vSwitch makes a drop of the whole packet. */
function translate(run: Run, start: () => void): boolean {
  try {
    start();
    return true;
  } catch (error) {
    if (!(error instanceof TooDeep)) throw error;
    run.outputs.length = 0;
    run.punts.length = 0;
    run.note(error.message);
    return false;
  }
}

/** At the last depth a row's own actions are carried out, but no table is looked into any more, be it a later one. */
function mayGoOn(depth: number): void {
  if (depth >= MAX_DEPTH) throw new TooDeep(`over ${MAX_DEPTH} resubmits inside each other`);
}

function deeper(frame: Frame): Frame {
  return { ...frame, depth: frame.depth + 1 };
}
