import type { Ip } from '@weir/kernel';

/** What a host is configured with, and says of itself when it connects. */
export interface HostDescription {
  readonly name: string;
  /** The zone's name inside its site. */
  readonly zone: string;
  readonly vcpus: number;
  readonly ramMb: number;
  readonly diskGb: number;
  readonly hypervisor: 'namespace' | 'qemu';
  /** Where the other hosts' tunnels lead to. */
  readonly endpoint: Ip;
}
