import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { systemClock, systemRandom, systemTimers, unavailable } from '@weir/kernel';
import { makeKey, makeToken } from '@weir/cascade';
import { cascadeHttpHandler, httpTransport } from '@weir/cascade/http';
import { openJournal, SqliteSlice } from '@weir/cascade/sqlite';
import { Bottom } from './bottom';
import { joinTop } from './join';
import { jsonLogger } from './json-logger';
import { hasToLearn } from './recovery';
import { STATE_HOLDING } from './site';
import { SqliteSiteRecords } from './sqlite-records';
import { StateDir } from './state-dir';

const USAGE = `weir-bottom --top URL --token T --state DIR [--remove-host NAME]...

  --top URL           of the Top
  --token T           what the Top answered when the site was added; used once
  --state DIR         this site's folder; Hosts are started with what stands in DIR/url and DIR/host-token
  --remove-host NAME  forget a host that will not come back: what was on it is placed anew
`;

const logger = jsonLogger((line) => process.stdout.write(line), systemClock);

interface Arguments {
  readonly top: string;
  readonly token: string;
  readonly state: string;
  readonly removed: readonly string[];
}

function argumentsOf(argv: readonly string[]): Arguments | undefined {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      top: { type: 'string' },
      token: { type: 'string' },
      state: { type: 'string' },
      'remove-host': { type: 'string', multiple: true },
      help: { type: 'boolean' },
    },
  });
  const { top, token, state } = values;
  if (values.help === true || top === undefined || token === undefined || state === undefined) return undefined;
  return { top, token, state, removed: values['remove-host'] ?? [] };
}

/** The port is chosen once: Hosts know this site by it. */
async function listen(server: Server, state: StateDir): Promise<void> {
  const known = state.read('url');
  const port = known === undefined ? 0 : Number(new URL(known).port);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(unavailable(`Port ${port} of this site cannot be used.`, { cause })));
    server.listen(port, '127.0.0.1', resolve);
  });
  state.write('url', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

async function run({ top, token, state: path, removed }: Arguments): Promise<void> {
  const state = new StateDir(path);
  // Whoever has a key was a site before: without its records it has to learn from its hosts what they run.
  const isSiteNew = !state.has('key');
  const key = state.keep('key', () => makeKey(systemRandom));
  const hostToken = state.keep('host-token', () => makeToken(systemRandom));
  const records = new SqliteSiteRecords(state.file('records.db'), { isSiteNew });
  const journal = openJournal(state.file('journal.db'), systemClock, systemRandom);
  const slice = new SqliteSlice({ file: state.file('site.db'), durability: 'full', stateHolding: STATE_HOLDING });
  for (const name of removed) {
    records.removeHost(name);
    journal.store.remove(name);
  }
  const bottom = new Bottom({
    slice,
    journal,
    records,
    hostToken,
    clock: systemClock,
    timers: systemTimers,
    random: systemRandom,
    logger,
    recovering: hasToLearn({ hasJoined: state.has('joined'), slice }),
  });
  const handle = cascadeHttpHandler(bottom.publisher, { logger });
  const server = createServer((request, response) => {
    handle(request, response).then(
      (handled) => {
        if (!handled) response.writeHead(404).end();
      },
      (error: unknown) => {
        logger.error('A request could not be answered', { error });
        response.destroy();
      },
    );
  });
  await listen(server, state);
  logger.info('Hosts can join', { url: state.read('url') });

  const transport = httpTransport({ url: top });
  let stopping = false;
  const stop = async (signal: string): Promise<void> => {
    if (stopping) return;
    stopping = true;
    logger.info('Stopping', { signal });
    await bottom.stop();
    transport.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    for (const store of [slice, journal, records]) store.close();
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => void stop(signal));

  let name = state.read('joined');
  if (name === undefined) {
    const joined = await joinTop({ transport, token, key, timers: systemTimers, logger, stopped: () => stopping });
    if (!joined) return;
    name = joined.id;
    state.write('joined', name);
    logger.info('Joined the Top', { site: name });
  }
  if (!stopping) bottom.follow({ transport, key, name });
}

function given(): Arguments | undefined {
  try {
    return argumentsOf(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n`);
    return undefined;
  }
}

const wanted = given();
if (wanted) {
  run(wanted).catch((error: unknown) => {
    logger.error('The Bottom cannot run', { error });
    process.exit(1);
  });
} else {
  process.stderr.write(USAGE);
  process.exitCode = 2;
}
