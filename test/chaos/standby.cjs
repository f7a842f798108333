// Loads the modules of a program before its start is asked for, so that a restart takes what its state takes, not what
// compiling takes. Its arguments and environment come as one line of JSON; it ends when its standard input does, so with its test.
const { createRequire } = require('node:module');
const { createInterface } = require('node:readline');

const [, standby, program, ...modules] = process.argv;
const load = createRequire(program);
for (const name of modules) load(name);
process.stdin.on('end', () => process.exit(1));
createInterface({ input: process.stdin }).once('line', (line) => {
  const { args, environment } = JSON.parse(line);
  process.argv = [process.argv[0], program, ...args];
  Object.assign(process.env, environment);
  delete require.cache[standby];
  load(program);
});
process.stdout.write('loaded\n');
