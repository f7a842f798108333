import type { Cancel, Mac, Random, Timers } from '@weir/kernel';
import { type DhcpMessage, DhcpMessageType, type Frame } from '@weir/packet';
import { dhcpAnswer, discover, type Lease, leaseOf, requestAgain, requestOffered, typeOf } from './dhcp-messages';

export interface DhcpClientOptions {
  readonly mac: Mac;
  readonly send: (frame: Uint8Array) => void;
  readonly bound: (lease: Lease) => void;
  /** The lease is over, or was taken back. */
  readonly lost: () => void;
  readonly timers: Timers;
  readonly random: Random;
}

/** As `udhcpc -T 1`: the flows are there, so an answer comes at once or was lost. */
const ASK_AGAIN_MS = 1_000;
const REQUESTS = 3;
/** Between T1 and the end of the lease. */
const RENEW_AGAIN_MS = 60_000;
const LARGEST_XID = 0x7fff_ffff;

type Situation =
  | { readonly at: 'stopped' }
  | { readonly at: 'selecting' }
  | { readonly at: 'requesting'; readonly offer: DhcpMessage; readonly left: number }
  | { readonly at: 'bound'; readonly lease: Lease; readonly secondsLeft: number };

/** The client's side of RFC 2131 for one interface: asks until it has a lease, and keeps it. */
export class DhcpClient {
  private situation: Situation = { at: 'stopped' };
  private xid = 0;
  private cancel: Cancel = () => undefined;

  constructor(private readonly options: DhcpClientOptions) {}

  start(): void {
    this.xid = this.options.random.integer(LARGEST_XID);
    this.select();
  }

  stop(): void {
    this.cancel();
    this.situation = { at: 'stopped' };
  }

  /** Any frame that came; what is no answer to this client changes nothing. */
  receive(frame: Frame): void {
    const { situation } = this;
    if (situation.at === 'stopped') return;
    const message = dhcpAnswer(frame, this.xid);
    if (!message) return;
    const type = typeOf(message);
    if (situation.at === 'selecting') {
      if (type === DhcpMessageType.offer) this.request(message, REQUESTS);
    } else if (type === DhcpMessageType.ack) {
      this.bind(leaseOf(message));
    } else if (type === DhcpMessageType.nak) {
      if (situation.at === 'bound') this.options.lost();
      this.start();
    }
  }

  private select(): void {
    this.situation = { at: 'selecting' };
    this.later(ASK_AGAIN_MS, () => this.select());
    this.options.send(discover(this.options.mac, this.xid));
  }

  private request(offer: DhcpMessage, left: number): void {
    if (left === 0) return this.start();
    this.situation = { at: 'requesting', offer, left };
    this.later(ASK_AGAIN_MS, () => this.request(offer, left - 1));
    this.options.send(requestOffered(this.options.mac, this.xid, offer));
  }

  private bind(lease: Lease): void {
    const untilRenewal = Math.floor(lease.seconds / 2);
    this.situation = { at: 'bound', lease, secondsLeft: lease.seconds - untilRenewal };
    this.later(untilRenewal * 1_000, () => this.renew());
    this.options.bound(lease);
  }

  private renew(): void {
    const { situation } = this;
    if (situation.at !== 'bound') return;
    const { lease, secondsLeft } = situation;
    if (secondsLeft <= 0) {
      this.options.lost();
      return this.start();
    }
    this.situation = { ...situation, secondsLeft: secondsLeft - RENEW_AGAIN_MS / 1_000 };
    this.later(Math.min(RENEW_AGAIN_MS, secondsLeft * 1_000), () => this.renew());
    this.options.send(requestAgain(this.options.mac, this.xid, lease.address));
  }

  private later(ms: number, action: () => void): void {
    this.cancel();
    this.cancel = this.options.timers.after(ms, action);
  }
}
