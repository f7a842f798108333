const root = require('../../jest.config.cjs');

const { displayName, testMatch, ...shared } = root.projects.find((project) => project.displayName === 'integration');

/** The whole counts of the fault tests; `npm test` runs samples of the same files. */
module.exports = {
  ...shared,
  rootDir: '../..',
  globalSetup: root.globalSetup,
  globals: { chaosInWhole: true },
  testMatch: [
    '<rootDir>/test/chaos/**/*.{int,lab}.spec.ts',
    '<rootDir>/test/world/**/*.spec.ts',
    '<rootDir>/test/differential/**/*.spec.ts',
    '<rootDir>/libs/event-store/src/sqlite/*.int.spec.ts',
    '<rootDir>/libs/event-store/src/memory/memory.spec.ts',
  ],
  reporters: ['<rootDir>/deploy/jest-reporter.cjs'],
};
