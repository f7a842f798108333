import { randomBytes } from 'node:crypto';
import { identify } from './processes';
import { LabRecord } from './record';
import { destroyLeftovers, tearDown } from './tear-down';

/** A folder that belongs to this process; what is added to its record goes with it. */
export interface Claim {
  readonly record: LabRecord;
  release(): Promise<void>;
}

/** Cleans up what a crashed one left in the folder; rejects with `conflict` while its owner lives. */
export async function claimFolder(directory: string): Promise<Claim> {
  await destroyLeftovers(directory);
  const owner = identify(process.pid);
  if (owner === undefined) throw new Error('This process does not find itself.');
  const id = randomBytes(2).toString('hex');
  const record = new LabRecord(directory, { id, owner, namespaces: [], processes: [], folders: [], shortcut: null });
  return { record, release: () => tearDown(directory, record.state) };
}
