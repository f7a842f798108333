import type { Command } from 'commander';
import { z } from 'zod';
import { parsePositive } from './options';
import { connect, serverId } from './session';

const DEADLINE_EXIT_CODE = 124;

const answerSchema = z.object({
  exit_code: z.number().nullable(),
  timed_out: z.boolean(),
  truncated: z.boolean(),
  stdout: z.string(),
  stderr: z.string(),
});

/** `weir exec`: its exit code is the command's own, or 124 when the command ran out of time. */
export function addExec(program: Command): void {
  program
    .command('exec')
    .description('run a command inside an instance')
    .argument('<server>', 'name or id')
    .argument('<command...>', 'after --')
    .option('--timeout <seconds>', 'end it after this long', parsePositive, 30)
    .action(async (server: string, command: string[], { timeout }: { timeout: number }) => {
      const client = await connect();
      const id = await serverId(client, server);
      const answer = answerSchema.parse(
        await client.post(`/weir/v1/servers/${id}/exec`, { command, timeout }, (timeout + 10) * 1000),
      );
      process.stdout.write(Buffer.from(answer.stdout, 'base64'));
      process.stderr.write(Buffer.from(answer.stderr, 'base64'));
      if (answer.truncated) process.stderr.write('weir: the output was cut after 1 MiB.\n');
      if (answer.timed_out) process.stderr.write(`weir: the command was ended after ${timeout} s.\n`);
      process.exitCode = answer.timed_out ? DEADLINE_EXIT_CODE : (answer.exit_code ?? 1);
    });
}
