export * from './common/index';
