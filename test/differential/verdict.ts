import type { Action, Field, PacketIn } from '@weir/openflow';
import type { Ip } from '@weir/kernel';
import type { Output, Punt, Result, SwitchModel } from '@weir/pipeline/interpreter';
import { TUNNEL_PORT } from '@weir/testing/topology';

/** What a switch is given: a frame by an instance's port or a tunnel, or a PACKET_OUT. */
export type Stimulus =
  | { readonly from: 'instance'; readonly inPort: number; readonly frame: Uint8Array }
  | { readonly from: 'tunnel'; readonly id: number; readonly src: Ip; readonly frame: Uint8Array }
  | {
      readonly from: 'controller';
      readonly inPort: number;
      readonly frame: Uint8Array;
      readonly actions: readonly Action[];
    };

/** One copy that left: by which port, with which bytes, and for a tunnel to whom under which key. */
export type Copy = Omit<Output, 'frame'> & { readonly frame: string };

export interface SeenPunt {
  readonly userdata: string;
  readonly table: number;
  readonly cookie: string;
  readonly inPort: number;
  readonly registers: { readonly [F in Field]?: string };
  readonly frame: string;
}

/** What became of a frame: neither copies nor punts is dropped. Both in a fixed order, and as text, so that two can be compared. */
export interface Verdict {
  readonly copies: readonly Copy[];
  readonly punts: readonly SeenPunt[];
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** In an order that depends on nothing but the contents. */
export function sorted<T>(things: readonly T[]): T[] {
  return things
    .map((thing) => [JSON.stringify(thing), thing] as const)
    .sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0))
    .map(([, thing]) => thing);
}

export function verdict(outputs: readonly Output[], punts: readonly SeenPunt[]): Verdict {
  return { copies: sorted(outputs.map(copyOf)), punts: sorted(punts) };
}

export function copyOf({ port, tunnel, frame }: Output): Copy {
  return { port, ...(tunnel ? { tunnel } : {}), frame: hex(frame) };
}

export function seenPunt({ userdata, table, cookie, inPort, packet, metadata }: PacketIn): SeenPunt {
  const registers = Object.fromEntries(
    Object.entries(metadata)
      .map(([field, value]) => [field, value.toString(16)] as const)
      .sort(([left], [right]) => (left < right ? -1 : 1)),
  );
  return { userdata, table, cookie: cookie.toString(16), inPort, registers, frame: hex(packet) };
}

export function puntOfModel({ userdata, table, cookie, inPort, frame, registers }: Punt): SeenPunt {
  return seenPunt({ userdata, table, cookie, inPort, packet: frame, metadata: registers });
}

export function interpret(model: SwitchModel, stimulus: Stimulus): Result {
  switch (stimulus.from) {
    case 'instance':
      return model.process({ inPort: stimulus.inPort, frame: stimulus.frame });
    case 'tunnel':
      return model.process({
        inPort: TUNNEL_PORT,
        frame: stimulus.frame,
        tunnel: { id: stimulus.id, src: stimulus.src },
      });
    case 'controller':
      return model.execute(stimulus.frame, stimulus.actions, stimulus.inPort);
  }
}

export function verdictOf({ outputs, punts }: Result): Verdict {
  return verdict(outputs, punts.map(puntOfModel));
}
