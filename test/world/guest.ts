import type { Ip, Mac } from '@weir/kernel';
import { decodeFrame, DhcpMessageType } from '@weir/packet';
import { dhcpAnswer, discover, requestOffered, typeOf } from '@weir/site-drivers/simulated';

/** What a guest's DHCP client gets when it asks now: an address, or no answer. `send` answers the frames that came back for it. */
export function lease(mac: Mac, xid: number, send: (frame: Uint8Array) => readonly Uint8Array[]): Ip | undefined {
  const ask = (question: Uint8Array) =>
    send(question)
      .map((frame) => dhcpAnswer(decodeFrame(frame), xid))
      .find((answer) => answer !== undefined);
  const offer = ask(discover(mac, xid));
  if (!offer || typeOf(offer) !== DhcpMessageType.offer) return undefined;
  const answer = ask(requestOffered(mac, xid, offer));
  return answer && typeOf(answer) === DhcpMessageType.ack ? answer.yiaddr : undefined;
}
