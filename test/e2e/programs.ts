import { join } from 'node:path';
import { run } from '@weir/lab';
import type { Programs } from '@weir/lab/deployment';

export const ROOT = join(__dirname, '..', '..');

/** The apps as they are in the source now. */
export async function buildPrograms(): Promise<Programs> {
  await run(process.execPath, [join(ROOT, 'scripts', 'build.mjs')], { timeoutMs: 60_000 });
  const main = (app: string) => join(ROOT, 'apps', app, 'dist', 'main.js');
  return { top: main('top'), bottom: main('bottom'), host: main('host') };
}
