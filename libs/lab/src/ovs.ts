import { join } from 'node:path';
import type { LabHost } from './host';
import { run, type RunOptions } from './run';

/** `ovs-vsctl` on the host's database; answers its output. */
export async function ovsVsctl(
  host: Pick<LabHost, 'ovsdb'>,
  args: readonly string[],
  options?: RunOptions,
): Promise<string> {
  return (await run('ovs-vsctl', [`--db=unix:${host.ovsdb}`, '--timeout=10', ...args], options)).stdout;
}

/** `ovs-ofctl -O OpenFlow13` on `br-int`, whose name is put behind the command: `ovsOfctl(host, ['dump-flows', 'table=0'])`. */
export async function ovsOfctl(
  host: Pick<LabHost, 'openflow'>,
  args: readonly string[],
  options?: RunOptions,
): Promise<string> {
  const command = args.findIndex((arg) => !arg.startsWith('-'));
  const argv = ['-OOpenFlow13', ...args.slice(0, command + 1), `unix:${host.openflow}`, ...args.slice(command + 1)];
  return (await run('ovs-ofctl', argv, options)).stdout;
}

/** `ovs-appctl` on the host's ovs-vswitchd. */
export async function ovsAppctl(
  host: Pick<LabHost, 'rundir'>,
  args: readonly string[],
  options?: RunOptions,
): Promise<string> {
  return (await run('ovs-appctl', ['-t', join(host.rundir, 'vswitchd.ctl'), ...args], options)).stdout;
}
