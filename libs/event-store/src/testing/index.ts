import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { transform } from '@swc/core';

const SOURCE = join(__dirname, '..');
const ROOT = join(SOURCE, '../../..');
const RELATIVE_IMPORT = /require\("(\.{1,2}\/[^"]+)"\)/g;

/**
 * Compiles the SQLite writer and what it imports, for those who run from the TypeScript source; answers the path of
 * its entry. The folder is named for its contents, so runs beside each other share it and none is stale.
 */
export async function buildWorker(): Promise<string> {
  const entry = join(SOURCE, 'sqlite', 'worker.ts');
  const compiled = new Map<string, string>();
  const waiting = [entry];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (compiled.has(file)) continue;
    const { code } = await transform(await readFile(file, 'utf8'), {
      filename: file,
      swcrc: true,
      cwd: ROOT,
      root: ROOT,
      sourceMaps: 'inline',
    });
    compiled.set(file, code);
    for (const [, path = ''] of code.matchAll(RELATIVE_IMPORT)) waiting.push(join(dirname(file), `${path}.ts`));
  }
  const digest = createHash('sha256');
  for (const [file, code] of compiled) digest.update(file).update(code);
  // Below node_modules of this repository, so that better-sqlite3 is found from there.
  const cache = join(ROOT, 'node_modules', '.cache', 'weir');
  const folder = join(cache, `event-store-writer-${digest.digest('hex').slice(0, 16)}`);
  const output = (base: string, file: string) => join(base, relative(SOURCE, file).replace(/\.ts$/, '.js'));
  await mkdir(cache, { recursive: true });
  const fresh = await mkdtemp(join(cache, 'building-'));
  for (const [file, code] of compiled) {
    await mkdir(dirname(output(fresh, file)), { recursive: true });
    await writeFile(output(fresh, file), code);
  }
  // A folder that is there already has the same contents.
  await rename(fresh, folder).catch(() => rm(fresh, { recursive: true }));
  return output(folder, entry);
}
