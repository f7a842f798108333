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
}

export const DEFAULT_PORT = 9770;

/** From flags, then `WEIR_*`; throws `invalid` with the reason. */
export function parseConfiguration(
  arguments_: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Configuration {
  const { values } = parseArgs({
    args: [...arguments_],
    options: { state: { type: 'string' }, port: { type: 'string' }, clouds: { type: 'string' } },
    strict: true,
  });
  const state = values.state ?? environment['WEIR_STATE'];
  if (state === undefined) throw invalid('Say where the Top keeps its state: --state DIR.');
  const portText = values.port ?? environment['WEIR_PORT'];
  const port = portText === undefined ? DEFAULT_PORT : Number(portText);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw invalid(`--port needs a number from 0 to 65535, not '${portText ?? ''}'.`);
  return { state, port, exactPort: portText !== undefined, clouds: values.clouds ?? `${state}/clouds.yaml` };
}
