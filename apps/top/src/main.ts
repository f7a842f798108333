import 'reflect-metadata';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { systemClock, systemRandom, systemTimers, WeirError } from '@weir/kernel';
import { DEFAULT_PORT, parseConfiguration } from './configuration';
import { writeDurably } from './identity/identity-store';
import { jsonLogger } from './logging';
import { createTop } from './top';

const HOST = '127.0.0.1';
const TRIED_PORTS = 100;

async function main(): Promise<void> {
  const configuration = parseConfiguration(process.argv.slice(2), process.env);
  const logger = jsonLogger('top');
  const stop = (code: number) => {
    top.close().then(
      () => process.exit(code),
      () => process.exit(1),
    );
  };
  const top = await createTop({
    state: configuration.state,
    clock: systemClock,
    timers: systemTimers,
    random: systemRandom,
    logger,
    // On disk before the identities are: a crash in between makes both anew.
    firstPasswords: (passwords) => writeClouds(configuration.clouds, addressOf(configuration.port), passwords),
    failed: (error) => {
      logger.error('The log cannot be written any more; the Top stops', { error: String(error) });
      stop(1);
    },
  });
  const port = await listen(top.application, configuration.port, configuration.exactPort);
  const address = addressOf(port);
  pointClouds(configuration.clouds, address);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop(0));
  logger.info('The Top listens', { address });
  process.stdout.write(`${JSON.stringify({ listening: address })}\n`);
}

type Listening = { listen(port: number, host: string): Promise<unknown>; getHttpServer(): unknown };

/** The asked port; by default the next free one. */
async function listen(application: Listening, first: number, exact: boolean): Promise<number> {
  for (let port = first; ; port++) {
    try {
      await application.listen(port, HOST);
      const address = (application.getHttpServer() as { address(): { port: number } }).address();
      return address.port;
    } catch (error) {
      const inUse = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
      if (!inUse || exact || port >= DEFAULT_PORT + TRIED_PORTS) throw error;
    }
  }
}

/** For OpenStack's own clients: `weir` is the bootstrap admin in the demo project, `weir-demo` a tenant of it. */
function writeClouds(
  file: string,
  address: string,
  passwords: { readonly admin: string; readonly demo: string },
): void {
  const cloud = (username: 'admin' | 'demo') => ({
    auth: {
      auth_url: `${address}/identity/v3`,
      username,
      password: passwords[username],
      project_name: 'demo',
      user_domain_name: 'Default',
      project_domain_name: 'Default',
    },
    region_name: 'weir',
    identity_api_version: '3',
  });
  mkdirSync(dirname(file), { recursive: true });
  writeDurably(file, stringify({ clouds: { weir: cloud('admin'), 'weir-demo': cloud('demo') } }));
}

const cloudsSchema = z.object({
  clouds: z.record(z.string(), z.looseObject({ auth: z.looseObject({ auth_url: z.string() }) })),
});

/** The port may be another than last time; everything else in the file stays. */
function pointClouds(file: string, address: string): void {
  if (!existsSync(file)) return;
  const { clouds } = cloudsSchema.parse(parse(readFileSync(file, 'utf8')));
  for (const cloud of Object.values(clouds)) cloud.auth.auth_url = `${address}/identity/v3`;
  writeDurably(file, stringify({ clouds }));
}

function addressOf(port: number): string {
  return `http://${HOST}:${port}`;
}

main().catch((error: unknown) => {
  const known = error instanceof WeirError || (error instanceof Error && 'code' in error);
  process.stderr.write(
    `weir-top: ${error instanceof Error ? (known ? error.message : (error.stack ?? error.message)) : String(error)}\n`,
  );
  process.exit(1);
});
