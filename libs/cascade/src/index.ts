export * from './slice';
export * from './follower';
export * from './journal';
export * from './key';
export * from './ports';
export * from './protocol';
export * from './publisher';
export * from './transport';
