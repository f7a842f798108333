import type { Command } from 'commander';
import { z } from 'zod';
import { type Output, withOutput } from './options';
import { rows } from './output';
import { connect, print } from './session';
import { addVerify } from './verify';

/** `weir events …` */
export function addEvents(program: Command): void {
  const events = withOutput(program.command('events'));
  events
    .description('the events of one server, network, router, port, subnet or site, oldest first')
    .argument('<kind>')
    .argument('<id>')
    .action(async (kind: string, id: string, options: Output) => {
      const answer = z
        .object({ events: z.array(z.record(z.string(), z.unknown())) })
        .parse(await (await connect()).get('/weir/v1/events', { kind, id }));
      print(rows(answer.events, ['position', 'time', 'stream', 'type'], options.output));
    });
  addVerify(events);
}
