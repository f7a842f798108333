import { Command } from 'commander';
import { addEvents } from './events';
import { addExec } from './exec';
import { addReadModels } from './read-models';
import { addSites } from './sites';
import { addTime } from './time';

/** Exit codes: 0 done, 1 refused or failed, 2 wrong usage; `exec` gives its command's own. */
const USAGE_EXIT_CODE = 2;

const program = new Command('weir')
  .description('For admins and operators of Weir. Tenants use the openstack command.')
  .exitOverride((error) => {
    process.exitCode = error.exitCode === 0 ? 0 : USAGE_EXIT_CODE;
    throw error;
  })
  // Else `-o` of a command inside a group would be taken for the group's.
  .enablePositionalOptions();

addExec(program);
addSites(program);
addEvents(program);
addReadModels(program);
addTime(program);

program.parseAsync().catch((error: unknown) => {
  if (error instanceof Error && 'exitCode' in error) return;
  process.stderr.write(`weir: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
