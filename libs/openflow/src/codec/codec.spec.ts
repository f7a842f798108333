import fc from 'fast-check';
import { canonical, canonicalActions, canonicalGroup, canonicalMeter } from '../canonical';
import { InvalidFlow, MalformedMessage } from '../errors';
import type { Action, Flow } from '../model';
import * as arbitrary from '../testing';
import { CAPTURED } from '../testing/captured';
import {
  decodeMessage,
  encodeBundleAdd,
  encodeBundleControl,
  encodeEcho,
  encodeFlowMod,
  encodeFlowRemovalByCookie,
  encodeFlowStatsRequest,
  encodeGroupMod,
  encodeGroupRemoval,
  encodeHello,
  encodeMeterMod,
  encodeMeterRemoval,
  encodePacketOut,
  type Message,
  MessageFramer,
  MessageWriter,
} from '.';

function bytesOf(encode: (writer: MessageWriter) => void): Buffer {
  const writer = new MessageWriter();
  encode(writer);
  return Buffer.concat(writer.take());
}

const decoded = (encode: (writer: MessageWriter) => void): Message => decodeMessage(bytesOf(encode));

const frame = Buffer.from('020000000002020000000001080045000014000040004001000a0a0000010a000002', 'hex');
const punt: Action = { type: 'controller', userdata: 'DHCP', maxLength: 65535 };
const row: Flow = {
  table: 3,
  priority: 100,
  cookie: 0x3000000000001n,
  match: {
    metadata: { value: 10_000n },
    reg0: { value: 0n, mask: 3n },
    eth_type: { value: 0x0800n },
    ip_proto: { value: 17n },
    udp_src: { value: 68n },
    udp_dst: { value: 67n },
  },
  meter: 1,
  actions: [
    punt,
    { type: 'set_field', field: 'reg0', value: 1n, mask: 3n },
    { type: 'move', from: { field: 'eth_src', offset: 0, width: 48 }, to: { field: 'eth_dst', offset: 0, width: 48 } },
  ],
  goto: 4,
  idleTimeout: 300,
};
const flood = {
  id: 5,
  type: 'all' as const,
  buckets: [
    { actions: [{ type: 'set_field', field: 'reg2', value: 7n } as const, { type: 'resubmit', table: 11 } as const] },
  ],
};
const meter = { id: 1, rate: 10, burst: 10 };

describe('the bytes that Open vSwitch took from us', () => {
  it('are a meter, a group and a flow in a bundle, and a packet-out', () => {
    expect(bytesOf((w) => encodeMeterMod(w, 7, 'add', meter))).toEqual(CAPTURED.meterMod);
    expect(bytesOf((w) => encodeBundleAdd(w, 9, 1, { kind: 'group', command: 'add', group: flood }))).toEqual(
      CAPTURED.bundledGroup,
    );
    expect(bytesOf((w) => encodeBundleAdd(w, 10, 1, { kind: 'flow', command: 'add', flow: row }))).toEqual(
      CAPTURED.bundledFlow,
    );
    const actions: Action[] = [
      { type: 'set_field', field: 'reg1', value: 11n },
      { type: 'set_field', field: 'tun_id', value: 10_000n },
      punt,
    ];
    expect(bytesOf((w) => encodePacketOut(w, 0x17, { inPort: 5, actions, data: frame }))).toEqual(CAPTURED.packetOut);
  });
});

describe('the bytes that Open vSwitch sent', () => {
  it('are the flow with its counters, though it sorts the match in its own way', () => {
    expect(decodeMessage(CAPTURED.flows)).toEqual({
      xid: 14,
      type: 'multipart_reply',
      more: false,
      part: { kind: 'flow', flows: [{ flow: row, packets: 0n, bytes: 0n, durationSeconds: 0 }] },
    });
    expect(decodeMessage(CAPTURED.aggregate)).toMatchObject({
      part: { kind: 'aggregate', flows: 1, packets: 0n, bytes: 0n },
    });
  });

  it('are groups, meters and ports', () => {
    expect(decodeMessage(CAPTURED.groups)).toMatchObject({ part: { kind: 'groupDesc', groups: [flood] } });
    expect(decodeMessage(CAPTURED.meters)).toMatchObject({ part: { kind: 'meterConfig', meters: [meter] } });
    expect(decodeMessage(CAPTURED.ports)).toMatchObject({
      part: { kind: 'portDesc', ports: [{ number: 0xfffffffe, name: 'br0', mac: '02:bf:9a:db:d4:43', up: false }] },
    });
  });

  it('are an error with its name and the message that it refuses', () => {
    expect(decodeMessage(CAPTURED.error)).toMatchObject({
      xid: 0x13,
      type: 'error',
      refusal: { errorType: 3, errorCode: 2, errorName: 'OFPBIC_BAD_TABLE_ID' },
    });
  });

  it('are a punted packet with registers, tunnel key and userdata', () => {
    expect(decodeMessage(CAPTURED.packetIn)).toMatchObject({
      type: 'packet_in',
      packet: {
        packet: frame,
        table: 0,
        inPort: 5,
        userdata: 'DHCP',
        metadata: { in_port: 5n, tun_id: 10_000n, reg1: 11n },
      },
    });
  });
});

describe('decoding what was encoded', () => {
  it('gives the canonical form of any flow, alone or in a bundle', () => {
    fc.assert(
      fc.property(arbitrary.flows, fc.constantFrom('add' as const, 'modify' as const), (flow, command) => {
        const part = { kind: 'flow' as const, command, flow: canonical(flow) };
        expect(decoded((w) => encodeFlowMod(w, 1, command, flow))).toEqual({ xid: 1, type: 'modification', part });
        expect(decoded((w) => encodeBundleAdd(w, 2, 3, { kind: 'flow', command, flow }))).toEqual({
          xid: 2,
          type: 'bundle_add',
          bundle: 3,
          part,
        });
      }),
    );
  });

  it('gives table, priority and match of a flow to remove', () => {
    const { match, table, priority, cookie } = row;
    expect(decoded((w) => encodeFlowMod(w, 1, 'remove', row))).toMatchObject({
      part: { kind: 'flow', command: 'remove', flow: { match, table, priority, cookie, actions: [] } },
    });
    const foreign = { ...row, match: {}, foreign: { match: '80000a0208004c', instructions: '00' } };
    expect(bytesOf((w) => encodeFlowMod(w, 1, 'remove', foreign)).toString('hex')).toContain('0001000b80000a0208004c');
    expect(() => bytesOf((w) => encodeFlowMod(w, 1, 'add', foreign))).toThrow(InvalidFlow);
  });

  it('gives any group, meter and packet-out', () => {
    fc.assert(
      fc.property(
        arbitrary.groups,
        arbitrary.meters,
        fc.array(arbitrary.actions),
        fc.uint8Array(),
        (group, some, actions, data) => {
          expect(decoded((w) => encodeGroupMod(w, 1, 'add', group))).toMatchObject({
            part: { kind: 'group', command: 'add', group: canonicalGroup(group) },
          });
          expect(decoded((w) => encodeMeterMod(w, 1, 'modify', some))).toEqual({
            xid: 1,
            type: 'meter_mod',
            command: 'modify',
            meter: canonicalMeter(some),
          });
          const packet = { inPort: 'controller' as const, actions: canonicalActions(actions), data };
          expect(decoded((w) => encodePacketOut(w, 1, packet))).toEqual({
            xid: 1,
            type: 'packet_out',
            packet: { ...packet, data: expect.anything() as unknown },
          });
        },
      ),
    );
  });

  it('gives the small messages', () => {
    expect(decoded((w) => encodeHello(w, 1))).toEqual({ xid: 1, type: 'hello', speaks13: true });
    expect(decoded((w) => encodeEcho(w, 'reply', 7, frame))).toMatchObject({ xid: 7, type: 'echo_reply' });
    expect(decoded((w) => encodeGroupRemoval(w, 1, 9))).toMatchObject({
      part: { kind: 'group', command: 'remove', group: 9 },
    });
    expect(decoded((w) => encodeMeterRemoval(w, 1, 9))).toEqual({ xid: 1, type: 'meter_removal', meter: 9 });
    expect(decoded((w) => encodeBundleControl(w, 1, 5, 'commit'))).toEqual({
      xid: 1,
      type: 'bundle_control',
      bundle: 5,
      control: 'commit',
      reply: false,
    });
    const cookie = { value: 5n, mask: 0xffn };
    expect(decoded((w) => encodeFlowRemovalByCookie(w, 1, cookie, 3))).toEqual({
      xid: 1,
      type: 'flow_removal_by_cookie',
      cookie,
      table: 3,
    });
    expect(decoded((w) => encodeFlowStatsRequest(w, 1, 'aggregate', undefined, cookie))).toMatchObject({
      request: { kind: 'aggregate', cookie },
    });
  });
});

describe('a writer', () => {
  it('refuses a message that is longer than OpenFlow allows, and goes on with the next', () => {
    const writer = new MessageWriter();
    const buckets = (count: number) =>
      Array.from({ length: count }, (_, n) => ({ actions: [{ type: 'output' as const, port: n }] }));
    encodeEcho(writer, 'request', 1, frame);
    expect(() => encodeGroupMod(writer, 2, 'add', { id: 1, type: 'all', buckets: buckets(2_048) })).toThrow(
      InvalidFlow,
    );
    encodeGroupMod(writer, 3, 'add', { id: 1, type: 'all', buckets: buckets(2_047) });
    const messages: Message[] = [];
    new MessageFramer().push(Buffer.concat(writer.take()), (message) => messages.push(decodeMessage(message)));
    expect(messages.map((message) => message.xid)).toEqual([1, 3]);
  });

  it('keeps what it gave away as it was', () => {
    const writer = new MessageWriter();
    const data = Buffer.alloc(60_000, 1);
    const taken: Uint8Array[] = [];
    for (let xid = 0; xid < 100; xid++) {
      encodeEcho(writer, 'request', xid, data);
      if (xid % 7 === 0) taken.push(...writer.take());
    }
    taken.push(...writer.take());
    const xids: number[] = [];
    new MessageFramer().push(Buffer.concat(taken), (message) => xids.push(decodeMessage(message).xid));
    expect(xids).toEqual(Array.from({ length: 100 }, (_, xid) => xid));
  });
});

describe('a stream of bytes', () => {
  it('gives the same messages however it is cut', () => {
    const all = Object.values(CAPTURED);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 }), (cuts) => {
        const framer = new MessageFramer();
        const frames: Uint8Array[] = [];
        const bytes = Buffer.concat(all);
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const size = cuts[turn % cuts.length] ?? 1;
          framer.push(bytes.subarray(at, at + size), (message) => frames.push(Buffer.from(message)));
          at += size;
        }
        expect(frames).toEqual(all);
      }),
      { numRuns: 30 },
    );
  });

  it('is given up at a length that is shorter than a header', () => {
    for (const length of [0, 7]) {
      const bytes = Buffer.from([4, 2, 0, length, 0, 0, 0, 1]);
      expect(() => new MessageFramer().push(bytes, () => undefined)).toThrow(MalformedMessage);
    }
  });
});

/** Whatever is not OpenFlow is said so, and nothing else ever goes wrong. */
function decodesOrComplains(bytes: Uint8Array): boolean {
  try {
    decodeMessage(bytes);
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(MalformedMessage);
    return false;
  }
}

function withLength(bytes: Uint8Array): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt16BE(copy.length, 2);
  return copy;
}

describe('malformed messages', () => {
  it.each([
    ['says another length than it has', Buffer.from('0402000900000001', 'hex')],
    ['is of another version', Buffer.from('0102000800000001', 'hex')],
    ['is of an unknown type', Buffer.from('04c8000800000001', 'hex')],
    ['is of an unknown experimenter', Buffer.from('0404001000000001deadbeef00000001', 'hex')],
    ['is of a Nicira kind that nobody asked for', Buffer.from('0404001000000001000023200000ffff', 'hex')],
    ['holds unknown statistics', Buffer.from('0413001000000001ffff000000000000', 'hex')],
    [
      'holds a flow of no bytes',
      Buffer.from('0413001800000001000100000000000000000000000000000000'.slice(0, 48), 'hex'),
    ],
    [
      'holds a bundled barrier',
      withLength(Buffer.from('04040000000000014f4e4600000008fd00000001000000030414000800000001', 'hex')),
    ],
    ['punts no packet', Buffer.from('0404001000000001000023200000001e', 'hex')],
    [
      'tells of a port that is 3',
      withLength(Buffer.concat([Buffer.from('040c00000000000103', 'hex'), Buffer.alloc(71)])),
    ],
  ])('are refused: one that %s', (_what, bytes) => {
    expect(() => decodeMessage(bytes)).toThrow(MalformedMessage);
  });

  it('are refused when cut anywhere, but for a list that is cut before its first entry', () => {
    for (const bytes of Object.values(CAPTURED)) {
      const whole: number[] = [];
      for (let length = 8; length < bytes.length; length++) {
        if (decodesOrComplains(withLength(bytes.subarray(0, length)))) whole.push(length);
      }
      if (bytes === CAPTURED.flows || bytes === CAPTURED.groups) expect(whole).toEqual([16]);
      if (bytes === CAPTURED.bundledFlow || bytes === CAPTURED.bundledGroup) expect(whole).toEqual([]);
    }
  });

  it('are refused with any of their bytes changed, or mean something else, and never crash or hang', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(CAPTURED)),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (bytes, changes) => {
          const copy = Buffer.from(bytes);
          for (const [at, value] of changes) copy[at % copy.length] = value;
          decodesOrComplains(withLength(copy));
        },
      ),
      { numRuns: 5_000, seed: 20_250 },
    );
  });

  it('are refused as random bytes', () => {
    fc.assert(
      fc.property(fc.nat(30), fc.uint8Array({ minLength: 0, maxLength: 300 }), (type, body) => {
        decodesOrComplains(withLength(Buffer.concat([Buffer.from([4, type, 0, 0, 0, 0, 0, 1]), body])));
      }),
      { numRuns: 3_000, seed: 20_251 },
    );
  });
});
