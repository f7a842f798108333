import type { Cancel, Mac, PortId, ServerId } from '@weir/kernel';
import type { ServerFact } from '@weir/topology';

/** One end in the instance, the other, `device`, on the host, for the bridge to take. */
export interface InstanceInterface {
  readonly port: PortId;
  /** In the instance: `eth0`, `eth1`, … */
  readonly name: string;
  readonly device: string;
  readonly mac: Mac;
  readonly mtu: number;
}

export interface InstanceState {
  readonly server: ServerId;
  readonly running: boolean;
}

export interface ExecOptions {
  readonly timeoutMs: number;
  /** Of both outputs together; what is over is thrown away. */
  readonly maxBytes: number;
}

export interface ExecResult {
  /** Null when it was ended on the deadline. */
  readonly exitCode: number | null;
  readonly timedOut: boolean;
  readonly truncated: boolean;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
}

/**
 * The hypervisor of one host. Every call may be repeated, also after a crash in the middle, and carries out what is missing; calls about
 * one server never overlap. What was made lives on without us.
 */
export interface Instances {
  /** What is here, also what nobody asks for any more. */
  list(): Promise<readonly InstanceState[]>;
  /** Makes the instance with its interfaces; what of it is there, and what runs in it, stays. Nothing new runs before `start`. */
  ensure(server: ServerFact, interfaces: readonly InstanceInterface[]): Promise<void>;
  /** Lets it run, with a DHCP client for each of its interfaces. */
  start(server: ServerId): Promise<void>;
  /** Takes one interface from it, by the device's name; nothing to do where there is none. */
  detach(server: ServerId, device: string): Promise<void>;
  /** Ends all that runs in it and removes it; nothing to do where there is none. */
  remove(server: ServerId): Promise<void>;
  /** Rejects with `conflict` unless it runs. On the deadline it ends with all its children; what it leaves running else goes on. */
  exec(server: ServerId, command: readonly string[], options: ExecOptions): Promise<ExecResult>;
  /** An instance ended by itself. */
  onEnded(handler: (server: ServerId) => void): Cancel;
}

/** A device's name has at most 15 characters. Port ids are random, so 44 bits of one tell the ports of a host apart. */
const DEVICE_DIGITS = 11;

/** The host's end of a port: `w` and the first 11 hexadecimal digits of its id. */
export function deviceOf(port: string): string {
  return `w${port.replaceAll('-', '').slice(0, DEVICE_DIGITS)}`;
}

const LONGEST_LABEL = 63;

/** A server's name as a host name (RFC 1123); undefined where nothing of it can stand in one. */
export function hostnameOf(name: string): string | undefined {
  const label = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .slice(0, LONGEST_LABEL)
    .replaceAll(/^-+|-+$/g, '');
  return label === '' ? undefined : label;
}
