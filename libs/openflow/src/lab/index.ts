import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock, systemTimers } from '@weir/kernel';

const run = promisify(execFile);
const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';
const START_MS = 10_000;
const MAX_OUTPUT = 64 * 1024 * 1024;
export const BRIDGE = 'br0';

/** A real Open vSwitch of its own: one userspace bridge in a network namespace that ends with its process. For tests and benchmarks. */
export interface LabSwitch {
  /** The bridge's management socket. */
  readonly socket: string;
  readonly folder: string;
  /** The pid of ovs-vswitchd. */
  readonly pid: number;
  vsctl(...args: string[]): Promise<string>;
  /** OpenFlow 1.3; the bridge is the last argument but for what follows `command`. */
  ofctl(command: string, ...args: string[]): Promise<string>;
  stop(): Promise<void>;
}

/**
 * `dummy`: the datapath of Open vSwitch's own tests, whose ports are no devices: frames come by `netdev-dummy/receive` on vswitchd.ctl
 * and leave into pcap files.
 */
export async function startSwitch(datapath: 'netdev' | 'dummy' = 'netdev'): Promise<LabSwitch> {
  const folder = await mkdtemp(join(tmpdir(), 'weir-of-'));
  const database = `unix:${folder}/db.sock`;
  const env = { ...process.env, OVS_RUNDIR: folder, OVS_LOGDIR: folder, OVS_DBDIR: folder };
  const children: ChildProcess[] = [];
  const start = (program: string, ...args: string[]): ChildProcess => {
    // It dies with us, however we end.
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'unshare', '--net', program, ...args], {
      env,
      stdio: 'ignore',
    });
    children.push(child);
    return child;
  };
  const call = async (program: string, args: readonly string[]): Promise<string> =>
    (await run(program, args, { env, maxBuffer: MAX_OUTPUT, timeout: START_MS * 6 })).stdout;
  const stop = async (): Promise<void> => {
    for (const child of children) await ended(child);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await call('ovsdb-tool', ['create', join(folder, 'conf.db'), SCHEMA]);
    start('ovsdb-server', `--remote=p${database}`, `--unixctl=${folder}/ovsdb.ctl`, join(folder, 'conf.db'));
    const vsctl = (...args: string[]): Promise<string> =>
      call('ovs-vsctl', [`--db=${database}`, '--timeout=10', ...args]);
    await eventually(() => vsctl('--no-wait', 'init'));
    const options = datapath === 'dummy' ? ['--enable-dummy', '--disable-system-route'] : [];
    const vswitchd = start(
      'ovs-vswitchd',
      database,
      '--disable-system',
      `--unixctl=${folder}/vswitchd.ctl`,
      ...options,
    );
    await vsctl('add-br', BRIDGE, '--', 'set', 'bridge', BRIDGE, `datapath_type=${datapath}`, 'fail_mode=secure');
    const ofctl = (command: string, ...args: string[]): Promise<string> =>
      call('ovs-ofctl', ['-OOpenFlow13', ...command.split(' '), BRIDGE, ...args]);
    await eventually(() => ofctl('show'));
    return { socket: join(folder, `${BRIDGE}.mgmt`), folder, pid: vswitchd.pid ?? 0, vsctl, ofctl, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Tries again until it works, or the deadline has passed. */
async function eventually(attempt: () => Promise<unknown>): Promise<void> {
  const deadline = systemClock.monotonic() + START_MS;
  for (;;) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (systemClock.monotonic() > deadline) throw error;
      await systemTimers.sleep(20);
    }
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGKILL');
  await gone;
}
