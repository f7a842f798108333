import { run } from './run';

export interface NamespaceSetup {
  readonly netns: string;
  /** Ends of veths in it. */
  readonly veths: readonly string[];
  /** Lines for `ip -batch`, run inside. */
  readonly commands: readonly string[];
  readonly sysctls?: Readonly<Record<string, string>>;
}

/** The kernel sends nothing of its own (IPv6 makes no addresses, asks for no routers): what a capture shows, a test sent. */
const QUIET: Readonly<Record<string, string>> = {
  'net/ipv6/conf/all/accept_dad': '0',
  'net/ipv6/conf/all/addr_gen_mode': '1',
  'net/ipv6/conf/default/accept_dad': '0',
  'net/ipv6/conf/default/addr_gen_mode': '1',
  'net/ipv6/conf/default/router_solicitations': '0',
};

/**
 * Brings up what is inside a namespace, in one process for all. Checksums are computed in software (`tx off`) on every
 * veth: the userspace datapath hands frames on as they are, and an unfinished checksum would be dropped by the receiver.
 */
export async function setUpNamespace(setup: NamespaceSetup): Promise<void> {
  const script = [
    'set -e',
    ...Object.entries({ ...QUIET, ...setup.sysctls }).map(([name, value]) => `echo ${value} > /proc/sys/${name}`),
    ...setup.veths.map((veth) => `ethtool -K ${veth} tx off > /dev/null`),
    'exec ip -batch -',
  ].join('\n');
  await run('sh', ['-c', script], { netns: setup.netns, input: ['link set lo up', ...setup.commands, ''].join('\n') });
}
