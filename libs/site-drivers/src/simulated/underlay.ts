import type { Ip } from '@weir/kernel';
import type { Output } from '@weir/pipeline/interpreter';

/** More tunnels than any frame of ours crosses: one by switching, one more per router host. */
const MAX_TUNNELS = 16;

/** One host as the others reach it. */
export interface TunnelEnd {
  readonly endpoint: Ip;
  /** A frame comes by the tunnel under a key, from whoever says to be `src`. */
  receive(id: number, src: Ip, frame: Uint8Array): void;
}

/** The network between simulated hosts: whatever leaves by a tunnel port arrives at the tunnel port of the host with that address, at once. */
export class SimulatedUnderlay {
  private readonly hosts = new Map<Ip, TunnelEnd>();
  private depth = 0;

  attach(host: TunnelEnd): void {
    this.hosts.set(host.endpoint, host);
  }

  /** A frame for an address that no host has is lost, as on any network. Throws where a frame goes from tunnel to tunnel without end. */
  carry(from: Ip, { frame, tunnel }: Output): void {
    if (!tunnel) return;
    if (this.depth >= MAX_TUNNELS) throw new Error(`A frame from ${from} goes from tunnel to tunnel without end.`);
    this.depth++;
    try {
      this.hosts.get(tunnel.dst)?.receive(tunnel.id, from, frame);
    } finally {
      this.depth--;
    }
  }
}
