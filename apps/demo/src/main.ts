import { join, relative, resolve } from 'node:path';
import { type Logger, silentLogger, systemClock, systemRandom, systemTimers, WeirError } from '@weir/kernel';
import { LabStage } from './lab-stage';
import { type Options, parseOptions, USAGE } from './options';
import { play, textOf } from './play';
import type { Stage } from './stage';
import { Story } from './story';

const DIRECTORY = join('.weir', 'demo');
const USAGE_STATUS = 2;
const SHOW_CURSOR = '\x1b[?25h';
const SIMULATED =
  'Simulated: hosts, switches and instances are objects in this one process, which runs every packet through the flows.';
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

const say = (text: string) => void process.stderr.write(`${text}\n`);
const print = (text: string) => void process.stdout.write(`${text}\n`);
const logger: Logger = {
  ...silentLogger,
  warn: (message, fields) => say(`${message} ${JSON.stringify(fields ?? {})}`),
};

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const stage = await stageFor(options);
  await stage.clear();
  const stopped = untilSignal();
  try {
    const played = await Promise.race([stopped, perform(stage, options)]);
    if (typeof played === 'number') return played;
    // Ended by Ctrl-C is ended as intended.
    if (played.stays) await stopped;
    return played.ok ? 0 : 1;
  } finally {
    say('Cleaning up…');
    await stage.close();
    // Hidden while the story is shown; a signal may end it before it is shown again.
    if (process.stdout.isTTY) process.stdout.write(SHOW_CURSOR);
  }
}

async function stageFor({ simulated }: Options): Promise<Stage> {
  const directory = resolve(DIRECTORY);
  if (!simulated) return new LabStage({ directory, timers: systemTimers, logger });
  say(SIMULATED);
  // Nothing of the levels is loaded where they are processes of their own.
  const { SimulatedStage } = await import('./simulated/simulated-stage.js');
  return new SimulatedStage({ directory, clock: systemClock, timers: systemTimers, random: systemRandom, logger });
}

async function perform(stage: Stage, options: Options): Promise<{ readonly ok: boolean; readonly stays: boolean }> {
  const story = new Story(stage, systemClock, systemTimers);
  const results = await play([...story.opening(), ...(options.empty ? [] : story.acts())], systemClock);
  const ok = results.every((result) => result.ok);
  if (stage.isClosing) return { ok, stays: false };
  const failed = results.filter((result) => !result.ok);
  print('');
  print(ok ? `All ${results.length} steps held.` : `${failed.length} of ${results.length} steps did not hold.`);
  const stays = !options.once && results.every((result) => result.played);
  if (stays) {
    void stage.follow();
    print(welcome(stage.weir.api, options));
  }
  if (options.json)
    print(JSON.stringify({ ok, steps: results.map(({ name, ok, ms, detail }) => ({ name, ok, ms, detail })) }));
  return { ok, stays };
}

function welcome(api: string, { empty, simulated }: Options): string {
  const folder = relative(process.cwd(), resolve(DIRECTORY));
  const server = empty ? '<server>' : 'web-1';
  const hosts = simulated ? 'The simulated hosts' : "The lab's hosts";
  return `
Weir is up at ${api}${simulated ? ', simulated' : ''}. Try, in another terminal:

  export OS_CLIENT_CONFIG_FILE=${folder}/clouds.yaml
  openstack --os-cloud weir server list
  npx --no weir exec ${server} -- ip addr
  npx --no weir site list

The API's description: ${api}/docs   Metrics: ${api}/metrics
Logs: ${folder}/logs   ${hosts} and instances: ${folder}/lab.json

Ctrl-C ends it all and cleans up.
`;
}

/** Resolves to the status that a shell gives for the signal. Later ones change nothing: cleaning up goes on. */
function untilSignal(): Promise<number> {
  // The terminal may be gone, and with it who reads us.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  return new Promise((resolve) => {
    for (const [signal, status] of Object.entries(SIGNALS)) process.on(signal, () => resolve(status));
  });
}

main().then(
  (status) => process.exit(status),
  (error: unknown) => {
    const known = error instanceof WeirError;
    say(known ? textOf(error) : error instanceof Error ? (error.stack ?? error.message) : String(error));
    process.exit(known && error.reason === 'invalid' ? USAGE_STATUS : 1);
  },
);
