export * from './frames';
export * from './golden';
export * from './plan';
export * from './programmed';
