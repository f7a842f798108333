import type { Ip } from '@weir/kernel';
import type { Arrival, Output, Punt, Result, SwitchModel } from './switch-model';

/** More tunnels than any frame of ours crosses: one by switching, one more per router host. */
const MAX_TUNNELS = 16;

export interface FabricHost {
  readonly name: string;
  readonly endpoint: Ip;
  readonly tunnelPort: number;
  readonly switch: SwitchModel;
}

/** One switch's part in a journey. */
export interface Hop {
  readonly host: string;
  readonly arrival: Arrival;
  readonly result: Result;
}

export interface Journey {
  /** Frames that left the fabric, by ports of instances. */
  readonly deliveries: readonly { readonly host: string; readonly port: number; readonly frame: Uint8Array }[];
  readonly punts: readonly (Punt & { readonly host: string })[];
  readonly hops: readonly Hop[];
  /** Frames for endpoints that no host has. */
  readonly lost: readonly { readonly host: string; readonly output: Output }[];
  /** A frame went from tunnel to tunnel without end. */
  readonly looped: boolean;
}

/** Hosts whose tunnels reach each other: takes a frame from a port to wherever its copies end. */
export class Fabric {
  private readonly hosts = new Map<string, FabricHost>();
  private readonly byEndpoint = new Map<Ip, FabricHost>();

  constructor(hosts: Iterable<FabricHost>) {
    for (const host of hosts) {
      this.hosts.set(host.name, host);
      this.byEndpoint.set(host.endpoint, host);
    }
  }

  /** A frame that an instance sends into a port of a host. */
  send(host: string, port: number, frame: Uint8Array): Journey {
    return this.follow(this.host(host), { inPort: port, frame });
  }

  /** A frame that comes to a host by its tunnel port, from whoever says to be `src`. */
  receive(host: string, tunnel: { readonly id: number; readonly src: Ip }, frame: Uint8Array): Journey {
    const to = this.host(host);
    return this.follow(to, { inPort: to.tunnelPort, frame, tunnel });
  }

  private host(name: string): FabricHost {
    const host = this.hosts.get(name);
    if (!host) throw new RangeError(`No host is called '${name}'.`);
    return host;
  }

  private follow(first: FabricHost, arrival: Arrival): Journey {
    const journey = {
      deliveries: [] as Journey['deliveries'][number][],
      punts: [] as Journey['punts'][number][],
      hops: [] as Hop[],
      lost: [] as Journey['lost'][number][],
      looped: false,
    };
    const open: { host: FabricHost; arrival: Arrival; tunnels: number }[] = [{ host: first, arrival, tunnels: 0 }];
    for (let next = open.shift(); next; next = open.shift()) {
      const { host, tunnels } = next;
      const result = host.switch.process(next.arrival);
      journey.hops.push({ host: host.name, arrival: next.arrival, result });
      for (const punt of result.punts) journey.punts.push({ ...punt, host: host.name });
      for (const output of result.outputs) {
        const { port, frame, tunnel } = output;
        if (!tunnel) {
          journey.deliveries.push({ host: host.name, port, frame });
          continue;
        }
        const to = this.byEndpoint.get(tunnel.dst);
        if (!to) journey.lost.push({ host: host.name, output });
        else if (tunnels >= MAX_TUNNELS) journey.looped = true;
        else {
          const onward = { inPort: to.tunnelPort, frame, tunnel: { id: tunnel.id, src: host.endpoint } };
          open.push({ host: to, arrival: onward, tunnels: tunnels + 1 });
        }
      }
    }
    return journey;
  }
}
