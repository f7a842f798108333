import { z } from 'zod';
import { isUuid, type Logger, type PortId, type ServerId } from '@weir/kernel';
import type { ControllerState, StoredState } from '@weir/local-controller';
import type { StateDir } from './state-dir';

const FILE = 'controller.json';

const id = <T>() =>
  z
    .string()
    .refine(isUuid)
    .transform((text) => text as T);
const position = z.number().int().nonnegative();
const keys = z.record(z.string(), z.number()).optional();
const stored = z.object({
  keys: z.object({ network: keys, router: keys, 'router-interface': keys, port: keys }),
  departing: z.array(
    z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('server'), id: id<ServerId>(), position }),
      z.object({ kind: z.literal('port'), id: id<PortId>(), server: id<ServerId>(), position }),
    ]),
  ),
});

export class FileControllerState implements ControllerState {
  constructor(
    private readonly state: StateDir,
    private readonly logger: Logger,
  ) {}

  read(): StoredState | undefined {
    const text = this.state.read(FILE);
    if (text === undefined) return undefined;
    try {
      return stored.parse(JSON.parse(text)) as StoredState;
    } catch (error) {
      this.logger.error('What this host had stored cannot be used; it is made anew', { error });
      return undefined;
    }
  }

  write(state: StoredState): void {
    this.state.write(FILE, JSON.stringify(state));
  }
}
