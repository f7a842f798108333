// Compiles apps/*/src and libs/*/src to their dist folders, one file at a time; types are checked by `npm run check:types`.
import { existsSync } from 'node:fs';
import { readdir, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformFile } from '@swc/core';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

async function sources(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.spec.ts'))
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Compiles what is newer than its output and removes outputs whose source is gone. */
async function buildPackage(folder) {
  const from = join(folder, 'src');
  const to = join(folder, 'dist');
  const files = existsSync(from) ? await sources(from) : [];
  const wanted = new Set();
  for (const file of files) {
    const output = join(to, relative(from, file).replace(/\.ts$/, '.js'));
    wanted.add(output).add(`${output}.map`);
    const [source, built] = await Promise.all([stat(file), stat(output).catch(() => undefined)]);
    if (built && built.mtimeMs > source.mtimeMs) continue;
    const { code, map } = await transformFile(file, { swcrc: true, cwd: root, root });
    await mkdir(dirname(output), { recursive: true });
    await writeFile(output, `${code}\n//# sourceMappingURL=${output.split('/').pop()}.map\n`);
    await writeFile(`${output}.map`, map ?? '');
  }
  const present = await readdir(to, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of present) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && !wanted.has(path)) await rm(path);
  }
}

const folders = [];
for (const kind of ['libs', 'apps']) {
  for (const entry of await readdir(join(root, kind), { withFileTypes: true })) {
    if (entry.isDirectory()) folders.push(join(root, kind, entry.name));
  }
}
await Promise.all(folders.map(buildPackage));
