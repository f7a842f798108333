import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import type { RowReader } from '@weir/event-store';
import { asOfPosition } from './past';

/** A question to the read models; answered from them alone, so that no site can slow it. */
export class Look<T> extends Query<T> {
  constructor(readonly read: (rows: RowReader) => T) {
    super();
  }
}

/** The read models as Nest's container names them: an interface has no value at run time, an abstract class has. */
export abstract class ReadModels {
  abstract readonly rows: RowReader;
}

@QueryHandler(Look)
export class LookHandler implements IQueryHandler<Look<unknown>> {
  constructor(private readonly models: ReadModels) {}

  async execute(look: Look<unknown>): Promise<unknown> {
    const position = asOfPosition.getStore();
    const { rows } = this.models;
    return look.read(position === undefined ? rows : await rows.at(position));
  }
}
