import { Classifier, type Entry } from '../../libs/pipeline/src/interpreter/classifier';
import { type FieldValue, Packet } from '../../libs/pipeline/src/interpreter/packet';
import type { Field } from '@weir/openflow';
import { SwitchModel } from '@weir/pipeline/interpreter';
import { seededRandom } from '@weir/testing/domain';
import { CORNERS } from './corners';
import { Differential, differs, miscounted, modelOf, PACKETS_PER_SLICE, type Trial } from './differential';
import { DummySwitch, OFPORTS } from './dummy-switch';
import { Packets } from './packets';
import { PROBE } from './probe';
import { ONLY_SEED, SEEDS, SEEDS_AT_A_TIME, SLICES } from './scale';
import { drawTopology, HOSTS } from './slices';
import { hex, interpret, verdictOf } from './verdict';

jest.setTimeout(120_000);

const first = ONLY_SEED ?? 1;
const last = ONLY_SEED ?? SEEDS;
/** Frames of the first seeds, on which planted faults are tried. */
const REMEMBERED = 6;
/** Frames whose every field is read and written. */
const FRAMES_PER_SEED = 40;

let real: DummySwitch;
let differential: Differential;
const trials: Trial[] = [];

beforeAll(async () => {
  real = await DummySwitch.start(HOSTS.map(({ endpoint }) => endpoint));
  differential = new Differential(real);
});

afterAll(async () => {
  await real?.stop();
});

describe('the interpreter', () => {
  for (let from = first; from <= last; from += SEEDS_AT_A_TIME) {
    const to = Math.min(from + SEEDS_AT_A_TIME - 1, last);
    it(`does with every frame of the seeds ${from} to ${to} what Open vSwitch does`, async () => {
      for (let seed = from; seed <= to; seed++) {
        const stories = await differential.run(seed, (trial) => {
          if (seed < first + REMEMBERED) trials.push(trial);
        });
        if (stories.length > 0) {
          const shown = stories.slice(0, 3).join('\n\n');
          throw new Error(
            `${stories.length} differences.\n${shown}\n\nReplay them: WEIR_SEED=${seed} npx jest --selectProjects lab --testPathPatterns test/differential`,
          );
        }
      }
    });
  }

  it('was shown every kind of row, by frames through enough slices', () => {
    const { coverage, slices, packets, carried } = differential;
    console.info(
      `Seeds ${first} to ${last}: ${slices} slices, ${packets} packets, ${carried} of them carried from host to host.\n${coverage.toString()}`,
    );
    expect(coverage.unknown).toEqual([]);
    if (ONLY_SEED !== undefined) return;
    expect(coverage.neverHit).toEqual([]);
    expect(slices).toBeGreaterThanOrEqual(SLICES);
    expect(packets - carried).toBe(slices * PACKETS_PER_SLICE);
  });
});

/** The insides of the interpreter in which faults are planted. */
interface PacketParts {
  checksums: (field: Field) => number[];
  read: (field: Field) => FieldValue;
}
interface ClassifierParts {
  find: (packet: Packet) => Entry | undefined;
  readonly ordered: readonly ClassifierParts[];
}
interface SwitchParts {
  output: (run: unknown, packet: Packet, to: number | 'in_port') => void;
}

/** Puts a fault in the place of a method, and answers what takes it out again. */
function plant<Parts extends object, Name extends keyof Parts>(
  where: object,
  name: Name,
  fault: (right: Parts[Name]) => Parts[Name],
): () => void {
  const parts = where as Parts;
  const right = parts[name];
  parts[name] = fault(right);
  return () => {
    parts[name] = right;
  };
}

const FAULTS: Readonly<Record<string, () => () => void>> = {
  'leaves checksums as they were': () => plant<PacketParts, 'checksums'>(Packet.prototype, 'checksums', () => () => []),
  'sees no ports in first fragments': () =>
    plant<PacketParts, 'read'>(
      Packet.prototype,
      'read',
      (right) =>
        function (this: Packet, field) {
          return /^(udp|tcp|icmp)_/.test(field) && right.call(this, 'ip_frag') !== 0 ? 0 : right.call(this, field);
        },
    ),
  'takes the first row that matches, not the one of highest priority': () =>
    plant<ClassifierParts, 'find'>(
      Classifier.prototype,
      'find',
      () =>
        function (this: ClassifierParts, packet) {
          return this.ordered.map((rows) => rows.find(packet)).find((entry) => entry !== undefined);
        },
    ),
  'lets a frame out where it came in': () =>
    plant<SwitchParts, 'output'>(
      SwitchModel.prototype,
      'output',
      (right) =>
        function (this: SwitchParts, run, packet, to) {
          const inPort = BigInt(packet.read('in_port'));
          packet.write('in_port', 0n);
          right.call(this, run, packet, to === 'in_port' ? Number(inPort) : to);
          packet.write('in_port', inPort);
        },
    ),
  'takes padding for a part of the packet': () => {
    const right = Object.getOwnPropertyDescriptor(Packet.prototype, 'length') ?? {};
    Object.defineProperty(Packet.prototype, 'length', {
      configurable: true,
      get(this: Packet) {
        return this.frame().length;
      },
    });
    return () => Object.defineProperty(Packet.prototype, 'length', right);
  },
};

describe('every field', () => {
  it(`of the frames of the seeds ${first} to ${last} is read and written as Open vSwitch does`, async () => {
    await real.program(PROBE);
    const model = modelOf(PROBE);
    const [inPort = 0] = OFPORTS;
    for (let seed = first; seed <= last; seed++) {
      const packets = new Packets(seededRandom(seed), drawTopology(seededRandom(seed)), HOSTS[0], PROBE);
      for (let count = 0; count < FRAMES_PER_SEED; count++) {
        const stimulus = { from: 'instance', inPort, frame: packets.anyFrame() } as const;
        const ours = verdictOf(interpret(model, stimulus));
        expect({ seed, frame: hex(stimulus.frame), ...ours }).toEqual({
          seed,
          frame: hex(stimulus.frame),
          ...(await real.feed(stimulus)),
        });
      }
    }
    expect(miscounted(model, await real.counters())).toEqual([]);
  });
});

if (ONLY_SEED === undefined) {
  describe('rows that no pipeline has', () => {
    it.each(CORNERS)('do what they do in Open vSwitch: $name', async ({ plan, stimulus }) => {
      await real.program(plan);
      const model = modelOf(plan);
      expect(verdictOf(interpret(model, stimulus))).toEqual(await real.feed(stimulus));
      expect(miscounted(model, await real.counters())).toEqual([]);
    });
  });

  describe('an interpreter', () => {
    it.each(Object.entries(FAULTS))('that %s is found out', (_what, begin) => {
      const end = begin();
      try {
        const plans = new Set(trials.map(({ plan }) => plan));
        const models = new Map([...plans].map((plan) => [plan, modelOf(plan)]));
        const parted = trials.filter(({ plan, stimulus, real }) => {
          const model = models.get(plan);
          return model && differs(real, interpret(model, stimulus));
        });
        expect(parted.length).toBeGreaterThan(0);
      } finally {
        end();
      }
    });
  });
}
