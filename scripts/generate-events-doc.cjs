// Writes what the schemas say into docs/events.md: node --conditions=weir-source scripts/run-ts.mjs scripts/generate-events-doc.cjs
const { readFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { eventsDocument } = require('@weir/domain');

const file = join(__dirname, '..', 'docs', 'events.md');
writeFileSync(file, eventsDocument(readFileSync(file, 'utf8')));
