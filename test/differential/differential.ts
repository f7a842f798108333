import { flowKey, formatFlow } from '@weir/openflow';
import { type Plan, tableName } from '@weir/pipeline';
import { type Fabric, type Journey, type Result, SwitchModel } from '@weir/pipeline/interpreter';
import { seededRandom } from '@weir/testing/domain';
import { compilerAt, fabricOf, type Topology, type TopologyHost, TUNNEL_PORT } from '@weir/testing/topology';
import { Coverage } from './coverage';
import { type DummySwitch, OFPORTS } from './dummy-switch';
import { Packets } from './packets';
import { drawTopology } from './slices';
import {
  type Copy,
  copyOf,
  hex,
  interpret,
  puntOfModel,
  type SeenPunt,
  sorted,
  type Stimulus,
  type Verdict,
  verdictOf,
} from './verdict';

export const PACKETS_PER_SLICE = 100;
/** A frame that crosses so many is a loop, to Fabric too. */
const MAX_TUNNELS = 16;
const STORIES = 3;
const LONG_HEX = /([0-9a-f]{160})[0-9a-f]+/g;
const PORTS = [{ number: TUNNEL_PORT, tunnel: true }, ...OFPORTS.map((number) => ({ number }))];

/** One frame given to the real switch with one plan, and what became of it there. */
export interface Trial {
  readonly plan: Plan;
  readonly stimulus: Stimulus;
  readonly real: Verdict;
}

/** Where copies of one frame ended in the whole fabric. */
interface End {
  readonly host: string;
  readonly copy?: Copy;
  readonly punt?: SeenPunt;
}

/** A drawn frame and what became of it, over all hosts. */
interface Course {
  readonly host: TopologyHost;
  readonly stimulus: Stimulus;
  readonly ends: End[];
}

interface Open {
  readonly stimulus: Stimulus;
  readonly course: Course;
  readonly tunnels: number;
}

interface Slice {
  readonly host: TopologyHost;
  readonly plan: Plan;
  open: Open[];
}

/** Whether the interpreter says something else than the real switch did. */
export function differs(real: Verdict, result: Result): boolean {
  return JSON.stringify(verdictOf(result)) !== JSON.stringify(real);
}

export function modelOf(plan: Plan): SwitchModel {
  return new SwitchModel({ ...plan, ports: PORTS });
}

/** Sends drawn frames through a real switch and through the interpreter, and tells where they part. */
export class Differential {
  readonly coverage = new Coverage();
  slices = 0;
  packets = 0;
  carried = 0;

  constructor(private readonly real: DummySwitch) {}

  /**
   * One drawn topology: at each of its hosts that has instances so many frames, and what they send over tunnels at the hosts that
   * it goes to. Answers what differed, each as a story; `observe` is told every trial.
   */
  async run(seed: number, observe: (trial: Trial) => void = () => undefined): Promise<string[]> {
    const random = seededRandom(seed);
    const topology = drawTopology(random);
    const stories: string[] = [];
    const courses: Course[] = [];
    const slices = topology.hosts.map((host) => this.sliceOf(topology, host));
    for (const slice of slices) {
      if (!topology.ports.some((port) => port.host === slice.host)) continue;
      this.slices++;
      const packets = new Packets(random, topology, slice.host, slice.plan);
      for (let count = 0; count < PACKETS_PER_SLICE; count++) {
        const course: Course = { host: slice.host, stimulus: packets.draw(), ends: [] };
        courses.push(course);
        slice.open.push({ stimulus: course.stimulus, course, tunnels: 0 });
      }
    }
    for (let slice = next(slices); slice; slice = next(slices)) {
      stories.push(...(await this.round(slice, slices, observe)));
    }
    stories.push(...strayed(fabricOf(topology), courses));
    return stories.map((story) => `Seed ${seed}, ${story}`);
  }

  private sliceOf(topology: Topology, host: TopologyHost): Slice {
    const plan = compilerAt(topology, host).plan();
    this.coverage.see(plan);
    return { host, plan, open: [] };
  }

  /** All that waits at one host. */
  private async round(slice: Slice, slices: readonly Slice[], observe: (trial: Trial) => void): Promise<string[]> {
    const { host, plan } = slice;
    const model = modelOf(plan);
    const stories: string[] = [];
    const waiting = slice.open;
    slice.open = [];
    await this.real.program(plan);
    for (const open of waiting) {
      const { stimulus } = open;
      const real = await this.real.feed(stimulus);
      this.packets++;
      if (open.tunnels > 0) this.carried++;
      observe({ plan, stimulus, real });
      const result = interpret(model, stimulus);
      for (const { flow } of result.trace) if (flow) this.coverage.hit(flow, stimulus.from);
      if (differs(real, result)) {
        const explained = stories.length < STORIES ? await this.real.explain(stimulus) : '';
        stories.push(`${host.name}: ${story(stimulus, real, result)}\n${explained}`);
      }
      carryOn(open, host, real, slices);
    }
    stories.push(...miscounted(model, await this.real.counters()).map((row) => `${host.name}: ${row}`));
    return stories;
  }
}

function next(slices: readonly Slice[]): Slice | undefined {
  return slices.find(({ open }) => open.length > 0);
}

/** What left by a tunnel arrives at the host that it was for, as the bytes that left. */
function carryOn(
  { stimulus, course, tunnels }: Open,
  host: TopologyHost,
  real: Verdict,
  slices: readonly Slice[],
): void {
  course.ends.push(...real.punts.map((punt) => ({ host: host.name, punt })));
  for (const copy of real.copies) {
    const to = slices.find((other) => other.host.endpoint === copy.tunnel?.dst);
    if (!copy.tunnel || !to || stimulus.from === 'controller') course.ends.push({ host: host.name, copy });
    else if (tunnels < MAX_TUNNELS) {
      const frame = new Uint8Array(Buffer.from(copy.frame, 'hex'));
      const arrival: Stimulus = { from: 'tunnel', id: copy.tunnel.id, src: host.endpoint, frame };
      to.open.push({ stimulus: arrival, course, tunnels: tunnels + 1 });
    }
  }
}

/** The frames whose journey through Fabric ends elsewhere than it did over the real switch. PACKET_OUTs are no journeys. */
function strayed(fabric: Fabric, courses: readonly Course[]): string[] {
  return courses.flatMap(({ host, stimulus, ends }) => {
    if (stimulus.from === 'controller') return [];
    const journey =
      stimulus.from === 'instance'
        ? fabric.send(host.name, stimulus.inPort, stimulus.frame)
        : fabric.receive(host.name, { id: stimulus.id, src: stimulus.src }, stimulus.frame);
    const [real, ours] = [sorted(ends), sorted(endsOf(journey))];
    if (JSON.stringify(real) === JSON.stringify(ours)) return [];
    return [`${host.name}, the whole fabric: ${described(stimulus)}\nreal: ${shown(real)}\nours: ${shown(ours)}`];
  });
}

function endsOf({ deliveries, punts, lost }: Journey): End[] {
  return [
    ...deliveries.map(({ host, port, frame }) => ({ host, copy: { port, frame: hex(frame) } })),
    ...lost.map(({ host, output }) => ({ host, copy: copyOf(output) })),
    ...punts.map(({ host, ...punt }) => ({ host, punt: puntOfModel(punt) })),
  ];
}

/** The rows whose counters are others than Open vSwitch's. */
export function miscounted(model: SwitchModel, real: ReadonlyMap<string, number>): string[] {
  return model.counters.flatMap(({ flow, packets }) => {
    const counted = real.get(flowKey(flow));
    if (counted === Number(packets)) return [];
    return [
      `${formatFlow(flow)} took ${packets.toString()} packets, and ${counted ?? 'is not there'} in Open vSwitch.`,
    ];
  });
}

function story(stimulus: Stimulus, real: Verdict, result: Result): string {
  return [
    described(stimulus),
    `real: ${shown(real)}`,
    `ours: ${shown(verdictOf(result))}`,
    ...result.trace.map(
      ({ table, flow, notes }) => `  ${tableName(table)} ${flow?.priority ?? ''} ${notes.join(', ')}`,
    ),
  ].join('\n');
}

function described(stimulus: Stimulus): string {
  const { frame, ...rest } = stimulus;
  return `${shown(rest)}, ${frame.length} bytes: ${hex(frame)}`;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'bigint' ? `0x${part.toString(16)}` : part,
  );
  return text.replaceAll(LONG_HEX, '$1…');
}
