export { hasReservedServer, subnetAddressing, type Addressing } from './addressing';
export * from './commands';
export * from './errors';
export * from './network';
