const shared = {
  testEnvironment: 'node',
  transform: { '^.+\\.[tj]s$': '@swc/jest' },
  // ESM-only packages, which Jest cannot require on Node 20.
  transformIgnorePatterns: ['/node_modules/(?!(content-disposition)/)'],
  testEnvironmentOptions: { customExportConditions: ['weir-source', 'node', 'require', 'default'] },
  modulePathIgnorePatterns: ['/dist/', '/\\.weir/'],
};

/** unit: pure; integration: disk, sockets, worker threads; lab: real Open vSwitch in namespaces, one file at a time. */
module.exports = {
  globalSetup: '<rootDir>/test/global-setup.ts',
  projects: [
    {
      ...shared,
      displayName: 'unit',
      testMatch: ['<rootDir>/{apps,libs,test}/**/*.spec.ts'],
      testPathIgnorePatterns: ['\\.int\\.spec\\.ts$', '\\.lab\\.spec\\.ts$', '/node_modules/'],
    },
    { ...shared, displayName: 'integration', testMatch: ['<rootDir>/{apps,libs,test}/**/*.int.spec.ts'] },
    { ...shared, displayName: 'lab', testMatch: ['<rootDir>/{apps,libs,test}/**/*.lab.spec.ts'] },
  ],
};
