export * from './guest';
export * from './simulated-guests';
export * from './simulated-host';
export * from './simulated-instances';
export * from './underlay';
