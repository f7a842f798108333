// The import table of the architecture ("Layout and imports" in docs/architecture.md). A new edge is a change to this table, with a reason.
const allowed = {
  kernel: [],
  domain: [],
  topology: ['domain'],
  packet: [],
  openflow: [],
  ovsdb: [],
  pipeline: ['topology', 'packet', 'openflow'],
  cascade: [],
  'event-store': [],
  'openstack-api': ['domain'],
  'local-controller': ['topology', 'pipeline', 'packet', 'cascade', 'openflow', 'ovsdb'],
  'site-drivers': ['topology', 'pipeline', 'packet', 'openstack-api', 'cascade', 'local-controller'],
  lab: [],
  testing: ['domain', 'topology', 'packet', 'pipeline', 'openstack-api', 'openflow'],
};

const libRules = Object.entries(allowed).map(([lib, others]) => ({
  name: `imports-of-${lib}`,
  severity: 'error',
  from: { path: `^libs/${lib}/`, pathNot: '\\.spec\\.ts$' },
  to: { path: '^libs/', pathNot: `^libs/(${[lib, 'kernel', ...others].join('|')})/` },
}));

const pureLibs = '^libs/(kernel|domain|topology|pipeline|packet|openstack-api)/';

module.exports = {
  forbidden: [
    ...libRules,
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'nothing-imports-an-app', severity: 'error', from: { path: '^libs/' }, to: { path: '^apps/' } },
    {
      // The demo plays all levels in one process.
      name: 'apps-are-apart',
      severity: 'error',
      from: { path: '^apps/([^/]+)/', pathNot: '^apps/demo/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'only-specs-use-testing',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '(\\.spec\\.ts$|^libs/testing/)' },
      to: { path: '^libs/testing/' },
    },
    {
      name: 'nest-only-in-top',
      severity: 'error',
      from: { pathNot: '^(apps/top/|test/)' },
      to: { path: 'node_modules/@nestjs/' },
    },
    {
      name: 'pure-libs-have-no-effects',
      severity: 'error',
      from: { path: pureLibs, pathNot: ['\\.spec\\.ts$', '^libs/kernel/src/system\\.ts$'] },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?crypto$' },
    },
    {
      name: 'only-through-exports',
      severity: 'error',
      from: { path: '^(apps|libs)/([^/]+)/' },
      to: { path: '^(apps|libs)/[^/]+/src/', pathNot: ['^$1/$2/', '/index\\.ts$'] },
    },
    { name: 'not-resolved', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules|dist' },
    exclude: { path: '(/dist/|\\.weir/)' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['weir-source', 'import', 'require', 'node', 'default'],
    },
  },
};
