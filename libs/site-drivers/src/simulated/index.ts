export * from './simulated-host';
export * from './simulated-instances';
export * from './underlay';
