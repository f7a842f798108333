/** A hypervisor: an Open vSwitch of its own in a network namespace. Paths are absolute and short enough for sockets. */
export interface LabHost {
  readonly name: string;
  readonly site: string;
  readonly netns: string;
  /** Made by the Host process, not by the lab. */
  readonly bridge: 'br-int';
  /** The database's socket. */
  readonly ovsdb: string;
  /** The socket that `bridge` will have. */
  readonly openflow: string;
  /** Its address in the underlay. */
  readonly underlay: string;
  readonly rundir: string;
}
