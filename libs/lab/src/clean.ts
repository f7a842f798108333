import { destroyLeftovers, destroyLeftoversUnder } from './tear-down';

/** Run before tests: `node clean.js FOLDER…` removes what crashed labs in these folders, or directly under them, left. */
async function main(folders: readonly string[]): Promise<void> {
  for (const folder of folders) {
    const cleaned = await destroyLeftoversUnder(folder);
    if (await destroyLeftovers(folder)) cleaned.push(folder);
    for (const directory of cleaned) process.stderr.write(`Removed what a crashed lab left in ${directory}.\n`);
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
