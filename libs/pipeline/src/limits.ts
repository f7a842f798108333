/** Numbers that someone chose, each with its reason. */

/** Punts of one port a second. Measured with a port that sends 5,000 DISCOVERs a second: at 10 the others' leases stay at 1.4 ms. */
export const PORT_METER = { rate: 10, burst: 10 } as const;

/** ICMP errors of one router a second; per router, so that one project's scan does not silence another's path MTU discovery. */
export const ROUTER_METER = { rate: 100, burst: 100 } as const;

/** Open vSwitch has 262,144 meters: the lower half are the ports' (meter = port key), the upper half the routers'. */
export const ROUTER_METERS_FROM = 131_072;

/** Keys stay below this, so that meter and group numbers made of them fit. */
export const KEY_LIMIT = 131_072;

/** Larger groups exceed a 64 KiB message or cannot be read back (1,300 buckets fit, 1,500 close the connection). */
export const MAX_BUCKETS = 1000;

/** Group numbers of one network: two origins, each with a chain of this many groups. */
export const CHAIN_LENGTH = 128;

/** OFPCML_NO_BUFFER: the whole packet. */
export const WHOLE_PACKET = 0xffff;

/** check_pkt_larger counts the Ethernet header, an MTU does not. */
export const ETHERNET_HEADER = 14;
