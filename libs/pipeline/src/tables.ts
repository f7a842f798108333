/** What a packet that no other row takes does: dropped, or on to a later table. */
type Miss = 'drop' | { readonly goto: string };

const pass = <const Name extends string>(name: Name) => ({ goto: name });

/**
 * The pipeline's tables in their order: the place in this list is the OpenFlow number. Each answers one question.
 * `SG_OUT` and `SG_IN` have no rows of ports yet: nothing leads into them.
 */
const PIPELINE = [
  { name: 'CLASSIFY', question: 'Which network is this frame in, and who sent it?', miss: 'drop' },
  { name: 'PORT_SECURITY', question: 'May this port send from these addresses?', miss: 'drop' },
  { name: 'SG_OUT', question: "Do the port's security groups let it out?", miss: 'drop' },
  { name: 'SERVICES', question: 'Is it asking for a service that the host itself gives?', miss: pass('SWITCH') },
  { name: 'SWITCH', question: 'Which port, router or flood does the destination MAC stand for?', miss: 'drop' },
  { name: 'NAT_IN', question: 'Which inner address does this outer address stand for?', miss: pass('ACL_OUT') },
  { name: 'ACL_OUT', question: 'May it leave the network that it comes from?', miss: 'drop' },
  { name: 'ROUTE', question: 'By which interface and next hop does the router send it?', miss: 'drop' },
  { name: 'NEIGHBOR', question: 'Which MAC and which port has the next hop?', miss: 'drop' },
  { name: 'ACL_IN', question: 'May it enter the network that it goes to?', miss: 'drop' },
  { name: 'NAT_OUT', question: 'Under which outer address does it leave?', miss: pass('DELIVER') },
  { name: 'DELIVER', question: 'On which host is the destination port?', miss: 'drop' },
  { name: 'SG_IN', question: "Do the port's security groups let it in?", miss: 'drop' },
  { name: 'OUTPUT', question: "What is the destination port's number on this switch?", miss: 'drop' },
] as const satisfies readonly { readonly name: string; readonly question: string; readonly miss: Miss }[];

export type TableName = (typeof PIPELINE)[number]['name'];

export interface Table {
  readonly name: TableName;
  readonly number: number;
  readonly question: string;
  readonly miss: 'drop' | { readonly goto: TableName };
}

export const TABLES: readonly Table[] = PIPELINE.map((table, number) => ({ ...table, number }));

const numbers = new Map<string, number>(TABLES.map((table) => [table.name, table.number]));

export function tableNumber(name: TableName): number {
  return numbers.get(name) ?? 0;
}

/** The table's name, or its number where it is none of ours. */
export function tableName(number: number): string {
  return TABLES[number]?.name ?? String(number);
}

/** Bits of reg0. */
export const FROM_FABRIC = 1;
export const FROM_SITE = 2;
export const KNOWN = 4;
export const TOO_BIG = 8;
export const REPLY = 16;
/** "FROM_*" of the plan: came over a tunnel and was not routed here. */
export const FROM_ANY = FROM_FABRIC | FROM_SITE;
export const TOO_BIG_BIT = 3;

/** What each register holds, by the plan's words. */
export const REGISTERS = {
  network: 'metadata',
  flags: 'reg0',
  sourcePort: 'reg1',
  destinationPort: 'reg2',
  router: 'reg3',
  nextHop: 'reg4',
  egressInterface: 'reg9',
} as const;

/** Why a packet goes to the local controller: the punt's userdata. */
export const PUNTS = {
  dhcp: 'dhcp',
  netUnreachable: 'net unreachable',
  hostUnreachable: 'host unreachable',
  timeExceeded: 'time exceeded',
  portUnreachable: 'port unreachable',
  tooBig: 'too big',
} as const;

export type PuntReason = (typeof PUNTS)[keyof typeof PUNTS];
