import { WeirError, type Logger, type Timers } from '@weir/kernel';
import { joinPublisher, SILENCE_MS, type JoinAnswer, type Transport } from '@weir/cascade';

const RETRY_MS = 500;

/** Joins the Top, however long it takes to answer. Rejects with WeirError when it answers no: then the token has to be a new one. */
export async function joinTop(options: {
  readonly transport: Transport;
  readonly token: string;
  readonly key: string;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly stopped: () => boolean;
}): Promise<JoinAnswer | undefined> {
  const { transport, token, key, timers, logger, stopped } = options;
  for (let tries = 0; !stopped(); tries++) {
    const abort = new AbortController();
    const cancel = timers.after(SILENCE_MS, () => abort.abort());
    try {
      // The Top names a site by its token.
      return await joinPublisher({ transport, token, key, name: 'bottom', signal: abort.signal });
    } catch (error) {
      if (!(error instanceof WeirError) || error.reason !== 'unavailable') throw error;
      if (tries === 0) logger.warn('The Top cannot be joined yet; it is asked again and again', { error });
    } finally {
      cancel();
    }
    await timers.sleep(RETRY_MS);
  }
  return undefined;
}
