import { FROM_FABRIC, KNOWN, TABLES, type Table } from '../tables';
import type { Ip } from '@weir/kernel';
import { having, ipv4, match, resubmit, type Row, row, setBits, without } from '../row';

/** What every host has of a table, whatever its slice: what becomes of packets that no other row takes. */
export function missRow(table: Table): Row {
  return row(table.name, 0, match({}), [], table.miss === 'drop' ? {} : { goto: table.miss.goto });
}

export const MISS_ROWS: ReadonlyMap<string, Row> = new Map(
  TABLES.map((table) => [`${table.name} miss`, missRow(table)]),
);

/** Both count what they drop, under cookies of their own. */
export const tunnelRows = {
  /** Frames from endpoints that are no hosts of ours. */
  'unknown peer': (tunnelPort: number) =>
    row('CLASSIFY', 119, match({ in_port: tunnelPort, reg0: without(KNOWN) }), []),
  /** Frames with a key that is no network's of ours. */
  'unknown key': (tunnelPort: number) => row('CLASSIFY', 99, match({ in_port: tunnelPort, reg0: having(KNOWN) }), []),
} as const;

/** Another host of the fabric: its frames are looked at once more, now as known. */
export function peerRow(tunnelPort: number, endpoint: Ip): Row {
  return row('CLASSIFY', 120, match({ in_port: tunnelPort, tun_src: ipv4(endpoint), reg0: without(KNOWN) }), [
    setBits('reg0', FROM_FABRIC | KNOWN, FROM_FABRIC | KNOWN),
    resubmit('CLASSIFY'),
  ]);
}
