import { type Ip, ipv4ToNumber } from '@weir/kernel';
import { type Rehearsal, RehearsedMap, RehearsedSet } from '@weir/topology';
import type { Port } from './resolve';

/** Who is in one network, counted so that joining and leaving costs the same in a large network as in a small one. */
export class Members {
  private readonly localKeys: Map<string, number>;
  private readonly remote: Map<Ip, number>;
  /** Ports that may send from any address. */
  private readonly unsecuredPorts: Set<string>;

  constructor(rehearsal: Rehearsal) {
    this.localKeys = new RehearsedMap(rehearsal);
    this.remote = new RehearsedMap(rehearsal);
    this.unsecuredPorts = new RehearsedSet(rehearsal);
  }

  get local(): Iterable<string> {
    return this.localKeys.keys();
  }

  get hasLocal(): boolean {
    return this.localKeys.size > 0;
  }

  get isEmpty(): boolean {
    return this.localKeys.size === 0 && this.remote.size === 0;
  }

  /** Some member may send from any address, so that unknown addresses may be behind it. */
  get unsecured(): boolean {
    return this.unsecuredPorts.size > 0;
  }

  get localPortKeys(): number[] {
    return [...this.localKeys.values()].sort((left, right) => left - right);
  }

  /** Other hosts with members. */
  get endpoints(): Ip[] {
    return [...this.remote.keys()].sort((left, right) => ipv4ToNumber(left) - ipv4ToNumber(right));
  }

  /** Whether the network's own rows or groups look different with this port. */
  join(id: string, port: Port): boolean {
    const affected = !port.portSecurity && this.unsecuredPorts.size === 0;
    if (!port.portSecurity) this.unsecuredPorts.add(id);
    if (port.place.type === 'local') {
      this.localKeys.set(id, port.key);
      return true;
    }
    const count = this.remote.get(port.place.endpoint) ?? 0;
    this.remote.set(port.place.endpoint, count + 1);
    return affected || count === 0;
  }

  leave(id: string, port: Port): boolean {
    const affected = this.unsecuredPorts.delete(id) && this.unsecuredPorts.size === 0;
    if (port.place.type === 'local') {
      this.localKeys.delete(id);
      return true;
    }
    const count = (this.remote.get(port.place.endpoint) ?? 0) - 1;
    if (count > 0) this.remote.set(port.place.endpoint, count);
    else this.remote.delete(port.place.endpoint);
    return affected || count === 0;
  }
}
