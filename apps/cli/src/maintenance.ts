import { z } from 'zod';
import { systemClock, systemTimers, unavailable } from '@weir/kernel';
import type { Client } from './client';

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1000;

const workSchema = z.object({
  maintenance: z.object({
    id: z.string(),
    kind: z.string(),
    state: z.enum(['running', 'finished', 'failed']),
    result: z.unknown(),
    error: z.string().nullable(),
  }),
});

/** Begins a work that may take minutes, and waits for its result; on a terminal it says how long it has waited. */
export async function carryOut(client: Client, path: string, body: unknown): Promise<unknown> {
  const begun = systemClock.monotonic();
  const isTerminal = process.stderr.isTTY;
  let work = workSchema.parse(await client.post(path, body)).maintenance;
  for (let pause = FIRST_PAUSE_MS; work.state === 'running'; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    await systemTimers.sleep(pause);
    work = workSchema.parse(await client.get(`/weir/v1/maintenance/${work.id}`)).maintenance;
    const seconds = Math.round((systemClock.monotonic() - begun) / 1000);
    if (isTerminal && seconds > 0) process.stderr.write(`\r${work.kind}: ${seconds} s`);
  }
  if (isTerminal) process.stderr.write('\r\u001b[K');
  if (work.state === 'failed') throw unavailable(work.error ?? `The ${work.kind} failed.`);
  return work.result;
}
