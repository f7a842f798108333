import type { Flow, Group } from '../model';

/** OpenFlow 1.3 on the wire. */
export const VERSION = 4;
export const HEADER = 8;

export const TYPE = {
  hello: 0,
  error: 1,
  echoRequest: 2,
  echoReply: 3,
  experimenter: 4,
  featuresRequest: 5,
  featuresReply: 6,
  setConfig: 9,
  flowRemoved: 11,
  portStatus: 12,
  packetOut: 13,
  flowMod: 14,
  groupMod: 15,
  multipartRequest: 18,
  multipartReply: 19,
  barrierRequest: 20,
  barrierReply: 21,
  setAsync: 28,
  meterMod: 29,
} as const;

/** No type of OpenFlow 1.3 is higher (OFPT_METER_MOD). */
export const LAST_TYPE = 29;

export const MULTIPART = { flow: 1, aggregate: 2, groupDesc: 7, meterConfig: 10, portDesc: 13 } as const;
/** OFPMPF_REPLY_MORE. */
export const MULTIPART_MORE = 1;

export const ONF = 0x4f4e4600;
export const BUNDLE_CONTROL = 2300;
export const BUNDLE_ADD = 2301;
/** OFPBF_ATOMIC and OFPBF_ORDERED. */
export const BUNDLE_FLAGS = 3;
/** Requests are even, and the answer to each is the number behind it. */
export const BUNDLE = { open: 0, commit: 4, discard: 6 } as const;
export type BundleControl = keyof typeof BUNDLE;

/** Subtypes of Nicira's messages. */
export const SET_PACKET_IN_FORMAT = 16;
export const PACKET_IN2 = 30;

export const FLOW_COMMAND = { add: 0, modify: 2, deleteMatching: 3, remove: 4 } as const;
export const GROUP_COMMAND = { add: 0, modify: 1, remove: 2 } as const;
export const METER_COMMAND = { add: 0, modify: 1, remove: 2 } as const;
export type Command = 'add' | 'modify' | 'remove';

export const NO_BUFFER = 0xffffffff;
/** OFPP_ANY, OFPG_ANY, OFPM_ALL. */
export const ANY = 0xffffffff;
export const ALL_TABLES = 0xff;
/** OFPP_CONTROLLER. */
export const CONTROLLER_PORT = 0xfffffffd;

/** OFPFF_SEND_FLOW_REM. */
export const SEND_FLOW_REMOVED = 1;
/** OFPMF_PKTPS, OFPMF_BURST and OFPMF_STATS. */
export const METER_FLAGS = 2 | 4 | 8;
/** OFPMF_STATS: whether a switch gives it back is its own affair. */
export const METER_STATS_FLAG = 8;
/** OFPMBT_DROP, one band of 16 bytes. */
export const METER_BAND_DROP = 1;
export const METER_BAND_LENGTH = 16;
/** OFPGT_ALL. */
export const GROUP_TYPE_ALL = 0;

/** A bundle's message in the order of a change: what, and with which command. */
export type Modification =
  | { readonly kind: 'flow'; readonly command: Command; readonly flow: Flow }
  | { readonly kind: 'group'; readonly command: 'add' | 'modify'; readonly group: Group }
  | { readonly kind: 'group'; readonly command: 'remove'; readonly group: number };
