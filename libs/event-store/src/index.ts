export * from './dump';
export * from './errors';
export * from './execute';
export * from './lanes';
export * from './port';
export * from './reader';
export { digestOf, MAX_EVENT_BYTES, MAX_EVENTS_PER_APPEND, MAX_STREAM_NAME, MAX_STREAMS_PER_APPEND } from './record';
export * from './verify';
export * from './view';
