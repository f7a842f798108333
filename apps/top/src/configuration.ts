import { parseArgs } from 'node:util';
import { invalid } from '@weir/kernel';

export interface Configuration {
  /** Holds the log, the facts of the sites and the identities. */
  readonly state: string;
  readonly port: number;
  /** Whether `port` was asked for: then another is no substitute. */
  readonly exactPort: boolean;
  /** Where `clouds.yaml` is written at the first start. */
  readonly clouds: string;
  /** Old row versions are kept for so long; older reads fold from the log. */
  readonly historyDays: number;
}

export const DEFAULT_PORT = 9770;
export const DEFAULT_HISTORY_DAYS = 90;
/** A hundred years. */
const MAX_HISTORY_DAYS = 36_525;

/** From flags, then `WEIR_*`; throws `invalid` with the reason. */
export function parseConfiguration(
  arguments_: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Configuration {
  const { values } = parseArgs({
    args: [...arguments_],
    options: {
      state: { type: 'string' },
      port: { type: 'string' },
      clouds: { type: 'string' },
      'history-days': { type: 'string' },
    },
    strict: true,
  });
  const state = values.state ?? environment['WEIR_STATE'];
  if (state === undefined) throw invalid('Say where the Top keeps its state: --state DIR.');
  const portText = values.port ?? environment['WEIR_PORT'];
  const port = portText === undefined ? DEFAULT_PORT : Number(portText);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw invalid(`--port needs a number from 0 to 65535, not '${portText ?? ''}'.`);
  const daysText = values['history-days'] ?? environment['WEIR_HISTORY_DAYS'];
  const historyDays = daysText === undefined ? DEFAULT_HISTORY_DAYS : Number(daysText);
  if (!Number.isInteger(historyDays) || historyDays < 1 || historyDays > MAX_HISTORY_DAYS)
    throw invalid(`--history-days needs a number from 1 to ${MAX_HISTORY_DAYS}, not '${daysText ?? ''}'.`);
  const clouds = values.clouds ?? `${state}/clouds.yaml`;
  return { state, port, exactPort: portText !== undefined, clouds, historyDays };
}
