// Runs a TypeScript file of this repository from its source: node --conditions=weir-source scripts/run-ts.mjs <file> [arguments]
import { readFileSync } from 'node:fs';
import Module, { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from '@swc/core';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

Module._extensions['.ts'] = (module, filename) => {
  const source = readFileSync(filename, 'utf8');
  const { code } = transformSync(source, { filename, swcrc: true, cwd: root, root, sourceMaps: 'inline' });
  module._compile(code, filename);
};

const [file, ...rest] = process.argv.slice(2);
if (!file) {
  console.error('Usage: node --conditions=weir-source scripts/run-ts.mjs <file> [arguments]');
  process.exit(2);
}
process.setSourceMapsEnabled(true);
process.argv = [process.argv[0], resolve(file), ...rest];
createRequire(import.meta.url)(resolve(file));
