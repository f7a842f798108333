export * from './controller-state';
export * from './dhcp';
export { FlowProgram, type FlowProgramOptions } from './flow-program';
export * from './host';
export * from './instances';
export { LocalController, type LocalControllerOptions, STATE_HOLDING } from './local-controller';
export * from './token-bucket';
