export * from './ports';
export * from './protocol';
