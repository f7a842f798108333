import { systemClock, systemRandom, systemTimers, WeirError } from '@weir/kernel';
import { makeKey } from '@weir/cascade';
import { httpTransport } from '@weir/cascade/http';
import { SqliteSlice } from '@weir/cascade/sqlite';
import { STATE_HOLDING } from '@weir/local-controller';
import { connectOpenFlow } from '@weir/openflow';
import { OvsdbSwitchDatabase } from '@weir/ovsdb';
import { type Arguments, argumentsOf, USAGE } from './arguments';
import { FileControllerState } from './file-controller-state';
import { Host } from './host';
import { jsonLogger } from './json-logger';
import { NamespaceInstances } from './namespace-instances';
import { StateDir } from './state-dir';

/** Of bridges and ports: whoever made them before a reinstallation was us too. */
const OWNER = 'weir';
const JOINED = 'joined';
/** Whoever stops us waits for 2 s. */
const STOP_MS = 1_800;
const FIRST_LOOK_MS = 1_000;

const logger = jsonLogger((line) => process.stdout.write(line), systemClock);
const system = { clock: systemClock, timers: systemTimers, random: systemRandom, logger };

async function runHost(given: Arguments): Promise<void> {
  const state = new StateDir(given.state);
  const key = state.keep('key', () => makeKey(systemRandom));
  const slice = new SqliteSlice({ file: state.file('slice.db'), stateHolding: STATE_HOLDING });
  const database = new OvsdbSwitchDatabase({ path: given.ovsdb, owner: OWNER, ...system });
  const transport = httpTransport({ url: given.bottom });
  const host = new Host({
    host: given.host,
    bridge: given.bridge,
    slice,
    state: new FileControllerState(state, logger),
    database,
    connect: () => connectOpenFlow({ path: given.openflow, ...system }),
    instances: new NamespaceInstances({ netns: given.netns, state, ...system }),
    transport,
    token: given.token,
    key,
    hasJoined: state.read(JOINED) !== undefined,
    joined: () => state.write(JOINED, given.host.name),
    ...system,
  });

  let stopping = false;
  const stop = async (signal: string): Promise<void> => {
    if (stopping) return;
    stopping = true;
    logger.info('Stopping', { signal });
    systemTimers.after(STOP_MS, () => {
      logger.warn('Something was still under way; it is made or removed at the next start');
      process.exit(1);
    });
    const stopped = host.stop();
    // Nobody waits for a switch that does not answer.
    database.close();
    await stopped;
    transport.close();
    slice.close();
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => void stop(signal));
  // Nothing of ours keeps the process alive while it waits for a switch or a Bottom that is away.
  setInterval(() => undefined, 2 ** 30);
  // Before its database has been read, a switch that is there looks like one that is away.
  await Promise.race([database.synced(), systemTimers.sleep(FIRST_LOOK_MS)]);
  logger.info('Started', { host: given.host, bridge: given.bridge.name });
  await host.start();
}

function given(): Arguments | undefined {
  try {
    return argumentsOf(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof WeirError)) throw error;
    process.stderr.write(`${error.message}\n\n`);
    return undefined;
  }
}

const wanted = given();
if (wanted) {
  runHost(wanted).catch((error: unknown) => {
    logger.error('The Host cannot run', { error });
    process.exit(1);
  });
} else {
  process.stderr.write(USAGE);
  process.exitCode = 2;
}
