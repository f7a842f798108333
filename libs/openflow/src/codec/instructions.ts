import type { Action, Flow } from '../model';
import { readActions, writeActions } from './actions';
import type { Reader } from './reader';
import type { MessageWriter } from './writer';

const GOTO_TABLE = 1;
const APPLY_ACTIONS = 4;
const METER = 6;

type Instructions = Pick<Flow, 'meter' | 'actions' | 'goto'>;

/** Of a canonical flow, in the order in which they are carried out: meter, actions, jump. */
export function writeInstructions(writer: MessageWriter, flow: Instructions): void {
  if (flow.meter !== undefined) {
    writer.u16(METER);
    writer.u16(8);
    writer.u32(flow.meter);
  }
  if (flow.actions.length > 0) {
    const start = writer.at;
    writer.u16(APPLY_ACTIONS);
    writer.u16(0);
    writer.zeros(4);
    writeActions(writer, flow.actions);
    writer.patch16(start + 2, writer.at - start);
  }
  if (flow.goto !== undefined) {
    writer.u16(GOTO_TABLE);
    writer.u16(8);
    writer.u8(flow.goto);
    writer.zeros(3);
  }
}

export interface DecodedInstructions extends Instructions {
  /** In hex, when the model cannot say them; then there are no actions. */
  readonly foreign?: string;
}

/** Instructions to the end of the reader. */
export function readInstructions(reader: Reader): DecodedInstructions {
  const start = reader.position;
  let meter: number | undefined;
  let goto: number | undefined;
  let actions: readonly Action[] | undefined = [];
  let known = true;
  while (reader.left > 0) {
    const type = reader.u16();
    const length = reader.u16();
    if (length < 8 || length % 8 !== 0) reader.fail(`with an instruction of ${length} bytes`);
    const body = reader.part(length - 4, 'an instruction');
    if (type === METER) {
      meter = body.u32();
    } else if (type === GOTO_TABLE) {
      goto = body.u8();
    } else if (type === APPLY_ACTIONS) {
      body.skip(4);
      actions = readActions(body);
    } else {
      known = false;
    }
  }
  if (!known || !actions) return { actions: [], foreign: reader.hexSince(start) };
  return { ...(meter === undefined ? {} : { meter }), actions, ...(goto === undefined ? {} : { goto }) };
}
