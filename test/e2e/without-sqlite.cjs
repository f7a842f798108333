// For `node --require`: as on a machine where better-sqlite3 was installed without its native build, and louder.
const Module = require('node:module');

const resolve = Module._resolveFilename;
Module._resolveFilename = function (request, ...rest) {
  if (/^better-sqlite3(\/|$)/.test(request)) throw new Error(`'${request}' was asked for, and is not there.`);
  return resolve.call(this, request, ...rest);
};
