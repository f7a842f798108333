export { dhcpAnswer, discover, type Lease, leaseOf, requestOffered, typeOf } from './dhcp-messages';
export * from './guest';
export type { EchoOptions, EchoReport } from './ping';
