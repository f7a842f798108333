import { concat, MalformedPacket, Reader, u32 } from './bytes';

export const VXLAN_PORT = 4789;

/** The payload of a VXLAN datagram (RFC 7348). */
export interface VxlanPacket {
  readonly vni: number;
  /** The inner frame, for decodeFrame. */
  readonly frame: Uint8Array;
}

const VNI_PRESENT = 0x08000000;
const MAX_VNI = 0xffffff;

export function decodeVxlan(bytes: Uint8Array): VxlanPacket {
  const reader = new Reader(bytes, 'VXLAN header');
  const flags = reader.u32();
  const vni = reader.u32() >>> 8;
  if ((flags & VNI_PRESENT) === 0) throw new MalformedPacket('The VXLAN header carries no VNI.');
  return { vni, frame: reader.rest() };
}

export function encodeVxlan(packet: VxlanPacket): Uint8Array {
  if (packet.vni > MAX_VNI) throw new MalformedPacket(`A VNI is at most ${MAX_VNI}.`);
  return concat(u32(VNI_PRESENT), u32(packet.vni << 8), packet.frame);
}
