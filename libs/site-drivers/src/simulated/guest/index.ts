export { dhcpAnswer, discover, requestOffered, typeOf } from './dhcp-messages';
export * from './guest';
export type { EchoOptions, EchoReport } from './ping';
