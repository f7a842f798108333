import { Injectable } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import type { Transaction } from '@weir/domain';
import type { RowReader } from '@weir/event-store';
import { Intend, type Origin } from './commands';
import { Look } from './reads';

/** The way of every controller to the log and to the read models: commands by CommandBus, reads by QueryBus. */
@Injectable()
export class Gateway {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  /** `command` is made anew at each try; whatever it picks comes from the read models of that moment. */
  async run<T>(origin: Origin, command: () => Transaction<T>, lane?: string): Promise<T> {
    const { result } = await this.commands.execute(new Intend(origin, command, lane));
    return result;
  }

  /** For what ends something that was begun: should it reject for want of room or time, it is tried again until it is carried out. */
  async owe(origin: Origin, command: () => Transaction<void>): Promise<void> {
    await this.commands.execute(new Intend(origin, command, undefined, true));
  }

  read<T>(look: (rows: RowReader) => T): Promise<T> {
    return this.queries.execute(new Look(look));
  }
}
