import { type LabHost, ovsAppctl, ovsOfctl, ovsVsctl, waitFor } from '@weir/lab';
import { tableName } from '@weir/pipeline';

/** A row as ovs-ofctl reads it back. */
export interface FlowRow {
  readonly table: string;
  readonly priority: number;
  readonly cookie: bigint;
  readonly packets: number;
  readonly durationSeconds: number;
  /** Match and actions in ovs-ofctl's words. */
  readonly text: string;
}

export async function flowsOf(host: LabHost, ...match: readonly string[]): Promise<FlowRow[]> {
  const text = await ovsOfctl(host, ['dump-flows', ...match]);
  return text
    .split('\n')
    .filter((line) => line.includes('cookie='))
    .map(parse);
}

/** With all packets counted: those that went by a cached flow are told by the revalidators, which are waited for. */
export async function countedFlowsOf(host: LabHost, ...match: readonly string[]): Promise<FlowRow[]> {
  await ovsAppctl(host, ['revalidator/wait']);
  return flowsOf(host, ...match);
}

function parse(line: string): FlowRow {
  const number = (name: string): number => Number(new RegExp(`${name}=([\\d.]+)`).exec(line)?.[1] ?? 0);
  return {
    table: tableName(number('table')),
    priority: Number(/priority=(\d+)/.exec(line)?.[1] ?? 32_768),
    cookie: BigInt(/cookie=(0x[0-9a-f]+)/.exec(line)?.[1] ?? 0),
    packets: number('n_packets'),
    durationSeconds: number('duration'),
    text: line.slice(line.indexOf('priority=')),
  };
}

/** What a row is, without what changes by itself. */
export function shape({ table, cookie, text }: FlowRow): string {
  return `${table} ${cookie.toString(16)} ${text}`;
}

/** How many packets went through each table of ours that got any. */
async function packetsByTable(host: LabHost): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for (const { table, packets } of await countedFlowsOf(host)) counts.set(table, (counts.get(table) ?? 0) + packets);
  return counts;
}

/** The tables that a frame from an instance would go through, in order, as ovs-vswitchd explains it. */
export async function pathOf(host: LabHost, inPort: number, frame: Uint8Array): Promise<string[]> {
  const hex = Buffer.from(frame).toString('hex');
  const text = await ovsAppctl(host, ['ofproto/trace', host.bridge, `in_port=${inPort}`, hex]);
  const tables = [...text.matchAll(/^ *(\d+)\. /gm)].map(([, number]) => tableName(Number(number)));
  // check_pkt_larger is translated into both its branches, so that one table stands there twice.
  return tables.filter((table, index) => table !== tables[index - 1]);
}

export async function ofportOf(host: LabHost, device: string): Promise<number> {
  return Number(await ovsVsctl(host, ['get', 'interface', device, 'ofport']));
}

/** What came in addition, table by table. */
export async function packetsDuring(host: LabHost, work: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = await packetsByTable(host);
  await work();
  const after = await packetsByTable(host);
  const more = [...after].map(([table, packets]) => [table, packets - (before.get(table) ?? 0)] as const);
  return Object.fromEntries(more.filter(([, packets]) => packets > 0));
}

export async function groupsOf(host: LabHost): Promise<string[]> {
  return (await ovsOfctl(host, ['dump-groups'])).split('\n').filter((line) => line.includes('group_id='));
}

/** What is read once it is as said: a change that nobody acknowledges has come by then. */
export async function settledRows(
  read: () => Promise<string[]>,
  holds: (rows: readonly string[]) => boolean,
): Promise<string[]> {
  return waitFor(
    async () => {
      const rows = await read();
      return holds(rows) ? rows : undefined;
    },
    { what: 'the rows on the switch' },
  );
}
