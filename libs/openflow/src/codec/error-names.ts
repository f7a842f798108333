/** Codes of each type, from 0 on, as OpenFlow 1.3 numbers them. */
const STANDARD: readonly (readonly [prefix: string, codes: string])[] = [
  ['OFPHFC', 'INCOMPATIBLE EPERM'],
  [
    'OFPBRC',
    'BAD_VERSION BAD_TYPE BAD_STAT BAD_VENDOR BAD_SUBTYPE EPERM BAD_LEN BUFFER_EMPTY BUFFER_UNKNOWN BAD_TABLE_ID IS_SECONDARY BAD_PORT BAD_PACKET MULTIPART_BUFFER_OVERFLOW',
  ],
  [
    'OFPBAC',
    'BAD_TYPE BAD_LEN BAD_VENDOR BAD_VENDOR_TYPE BAD_OUT_PORT BAD_ARGUMENT EPERM TOO_MANY BAD_QUEUE BAD_OUT_GROUP MATCH_INCONSISTENT UNSUPPORTED_ORDER BAD_TAG BAD_SET_TYPE BAD_SET_LEN BAD_SET_ARGUMENT',
  ],
  [
    'OFPBIC',
    'UNKNOWN_INST UNSUP_INST BAD_TABLE_ID UNSUP_METADATA UNSUP_METADATA_MASK BAD_EXPERIMENTER BAD_EXP_TYPE BAD_LEN EPERM',
  ],
  [
    'OFPBMC',
    'BAD_TYPE BAD_LEN BAD_TAG BAD_DL_ADDR_MASK BAD_NW_ADDR_MASK BAD_WILDCARDS BAD_FIELD BAD_VALUE BAD_MASK BAD_PREREQ DUP_FIELD EPERM',
  ],
  ['OFPFMFC', 'UNKNOWN TABLE_FULL BAD_TABLE_ID OVERLAP EPERM BAD_TIMEOUT BAD_COMMAND BAD_FLAGS'],
  [
    'OFPGMFC',
    'GROUP_EXISTS INVALID_GROUP WEIGHT_UNSUPPORTED OUT_OF_GROUPS OUT_OF_BUCKETS CHAINING_UNSUPPORTED WATCH_UNSUPPORTED LOOP UNKNOWN_GROUP CHAINED_GROUP BAD_TYPE BAD_COMMAND BAD_BUCKET BAD_WATCH EPERM',
  ],
  ['OFPPMFC', 'BAD_PORT BAD_HW_ADDR BAD_CONFIG BAD_ADVERTISE EPERM'],
  ['OFPTMFC', 'BAD_TABLE BAD_CONFIG EPERM'],
  ['OFPQOFC', 'BAD_PORT BAD_QUEUE EPERM'],
  ['OFPSCFC', 'BAD_FLAGS BAD_LEN EPERM'],
  ['OFPRRFC', 'STALE UNSUP BAD_ROLE'],
  [
    'OFPMMFC',
    'UNKNOWN METER_EXISTS INVALID_METER UNKNOWN_METER BAD_COMMAND BAD_FLAGS BAD_RATE BAD_BURST BAD_BAND BAD_BAND_VALUE OUT_OF_METERS OUT_OF_BANDS',
  ],
  ['OFPTFFC', 'BAD_TABLE BAD_METADATA BAD_TYPE BAD_LEN BAD_ARGUMENT EPERM'],
];

/** Errors of the ONF extensions, by their number. */
const ONF: readonly (readonly [first: number, prefix: string, codes: string])[] = [
  [
    2300,
    'OFPBFC',
    'UNKNOWN EPERM BAD_ID BUNDLE_EXIST BUNDLE_CLOSED OUT_OF_BUNDLES BAD_TYPE BAD_FLAGS MSG_BAD_LEN MSG_BAD_XID MSG_UNSUP MSG_CONFLICT MSG_TOO_MANY MSG_FAILED TIMEOUT BUNDLE_IN_PROGRESS',
  ],
  [2360, 'OFPFMFC', 'BAD_PRIORITY'],
  [2370, 'OFPACFC', 'INVALID UNSUPPORTED EPERM'],
  [2600, 'OFPBIC', 'DUP_INST'],
  [4250, 'OFPBAC', 'BAD_SET_MASK'],
];

/** Errors of Nicira's extensions, by their number. */
const NX = new Map<number, string>([
  [2, 'NXBRC_NXM_INVALID'],
  [3, 'NXBRC_NXM_BAD_TYPE'],
  [4, 'NXBRC_MUST_BE_ZERO'],
  [5, 'NXBRC_BAD_REASON'],
  [10, 'NXBRC_UNENCODABLE_ERROR'],
  [11, 'NXBAC_MUST_BE_ZERO'],
  [12, 'NXFMFC_HARDWARE'],
  [13, 'NXFMFC_BAD_TABLE_ID'],
  [15, 'NXBAC_BAD_CONJUNCTION'],
  [42, 'NXBAC_CT_DATAPATH_SUPPORT'],
  [43, 'NXBMC_CT_DATAPATH_SUPPORT'],
]);

export function errorName(type: number, code: number): string {
  const [prefix, codes] = STANDARD[type] ?? [];
  const name = codes?.split(' ')[code];
  return prefix !== undefined && name !== undefined ? `${prefix}_${name}` : `error ${type}.${code}`;
}

export function onfErrorName(number: number): string {
  for (const [first, prefix, codes] of ONF) {
    const name = codes.split(' ')[number - first];
    if (name !== undefined) return `${prefix}_${name}`;
  }
  return `ONF error ${number}`;
}

export function niciraErrorName(number: number): string {
  return NX.get(number) ?? `Nicira error ${number}`;
}
