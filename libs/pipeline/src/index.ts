export { Compiler, compileAll, type Plan, UnusableFact } from './compiler';
export * from './environment';
export * from './keys';
export * from './limits';
export * from './lint';
export * from './owner';
export { UnsupportedEndpoint, UnsupportedSegment } from './resolve';
export { type Fact, HostSlice, type Waiting } from './slice';
export * from './tables';
