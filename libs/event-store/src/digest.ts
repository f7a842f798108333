import { hash } from 'node:crypto';

// Nothing of the kernel here: the SQLite writer, a thread of its own, computes digests too.

/** What a digest covers; `data` and `metadata` are canonical JSON. */
export interface EventText {
  readonly position: number;
  readonly stream: string;
  readonly revision: number;
  readonly id: string;
  readonly type: string;
  readonly schemaVersion: number;
  readonly data: string;
  readonly metadata: string;
}

export function digestOfText({
  position,
  stream,
  revision,
  id,
  type,
  schemaVersion,
  data,
  metadata,
}: EventText): string {
  const head = `[${position},${JSON.stringify(stream)},${revision},${JSON.stringify(id)},${JSON.stringify(type)},${schemaVersion}`;
  return hash('sha256', `${head},${data},${metadata}]`, 'hex');
}
