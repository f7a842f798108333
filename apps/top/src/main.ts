import 'reflect-metadata';
import { Failpoints } from '@weir/event-store';
import { systemClock, systemRandom, systemTimers, WeirError } from '@weir/kernel';
import { pointClouds, writeClouds } from './clouds';
import { parseConfiguration } from './configuration';
import { addressOf, listen } from './listen';
import { jsonLogger } from './logging';
import { sqliteStorage } from './storage/sqlite-storage';
import { createTop } from './top';

async function main(): Promise<void> {
  const configuration = parseConfiguration(process.argv.slice(2), process.env);
  const logger = jsonLogger('top');
  const stop = (code: number) => {
    top.close().then(
      () => process.exit(code),
      () => process.exit(1),
    );
  };
  const { state } = configuration;
  const failpoints = new Failpoints(process.env['WEIR_FAILPOINTS']);
  const failed = (error: unknown) => {
    logger.error('The log cannot be written any more; the Top stops', { error: String(error) });
    stop(1);
  };
  const top = await createTop(
    {
      state,
      clock: systemClock,
      timers: systemTimers,
      random: systemRandom,
      logger,
      historyDays: configuration.historyDays,
      // On disk before the identities are: a crash in between makes both anew.
      firstPasswords: (passwords) => {
        writeClouds(configuration.clouds, addressOf(configuration.port), passwords);
        failpoints.at('identity/passwords-told');
      },
      failed,
      reached: (point) => failpoints.at(point),
    },
    await sqliteStorage({ state, timers: systemTimers, logger, failed, failpoints }),
  );
  const port = await listen(top.application, configuration.port, configuration.exactPort);
  const address = addressOf(port);
  pointClouds(configuration.clouds, address);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop(0));
  logger.info('The Top listens', { address });
  process.stdout.write(`${JSON.stringify({ listening: address })}\n`);
}

main().catch((error: unknown) => {
  const known = error instanceof WeirError || (error instanceof Error && 'code' in error);
  process.stderr.write(
    `weir-top: ${error instanceof Error ? (known ? error.message : (error.stack ?? error.message)) : String(error)}\n`,
  );
  process.exit(1);
});
