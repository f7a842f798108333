// Writes docs/events.md from the schemas, and the examples of events that do not exist yet; what was recorded once is never changed.
// node --conditions=weir-source scripts/run-ts.mjs scripts/generate-events.cjs [--refold]
//   --refold  folds the examples again: for a state or a row that gained something. Read the difference before you commit it
const { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const prettier = require('prettier');
const { eventsDocument } = require('@weir/domain');
const { completeHistory, examplesOf, foldExample, foldRecording, recordingOf } = require('@weir/testing/domain');
const { version } = require('../package.json');

const document = join(__dirname, '../docs/events.md');
const examples = join(__dirname, '../libs/domain/src/events/examples');
const releases = join(examples, 'releases');

async function write(file, value) {
  const options = await prettier.resolveConfig(file);
  writeFileSync(file, await prettier.format(JSON.stringify(value), { ...options, filepath: file }));
}

async function writeNew(file, value) {
  if (!existsSync(file)) await write(file, value);
}

async function refold(folder, fold) {
  for (const name of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
    const file = join(folder, name);
    const recorded = JSON.parse(readFileSync(file, 'utf8'));
    await write(file, { ...recorded, folded: fold(recorded) });
  }
}

async function main() {
  writeFileSync(document, eventsDocument(readFileSync(document, 'utf8')));
  mkdirSync(releases, { recursive: true });
  const log = completeHistory();
  for (const [name, example] of Object.entries(examplesOf(log)))
    await writeNew(join(examples, `${name}.json`), example);
  await writeNew(join(releases, `${version}.json`), recordingOf(log));
  if (!process.argv.includes('--refold')) return;
  await refold(examples, foldExample);
  await refold(releases, ({ events }) => foldRecording(events));
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
