export * from './port';
export * from './view';
