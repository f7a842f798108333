import tseslint from 'typescript-eslint';

const effects = {
  'no-restricted-globals': [
    'error',
    { name: 'setTimeout', message: 'Use the Timers port of @weir/kernel, so that the deterministic world can run it.' },
    { name: 'setInterval', message: 'Use the Timers port of @weir/kernel.' },
    { name: 'setImmediate', message: 'Use the Timers port of @weir/kernel.' },
  ],
  'no-restricted-properties': [
    'error',
    { object: 'Date', property: 'now', message: 'Use the Clock port of @weir/kernel.' },
    { object: 'Math', property: 'random', message: 'Use the Random port of @weir/kernel.' },
    { object: 'performance', property: 'now', message: 'Use the Clock port of @weir/kernel.' },
  ],
  'no-restricted-imports': [
    'error',
    {
      paths: [
        {
          name: 'node:crypto',
          importNames: ['randomUUID', 'randomBytes', 'randomInt'],
          message: 'Use the Random port of @weir/kernel.',
        },
      ],
    },
  ],
};

export default tseslint.config(
  { ignores: ['**/dist/**', '**/node_modules/**', '.weir/**', '.node/**'] },
  ...tseslint.configs.strictTypeChecked.map((config) => ({ ...config, files: ['**/*.ts'] })),
  {
    files: ['**/*.ts'],
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      ...effects,
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/no-extraneous-class': 'off',
      '@typescript-eslint/no-misused-spread': 'off',
      '@typescript-eslint/unified-signatures': 'off',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
    },
  },
  {
    // Composition roots, adapters, tests and the lab are the edges where effects live.
    files: ['**/main.ts', '**/*.spec.ts', 'libs/kernel/src/system.ts', 'libs/lab/**', 'libs/testing/**', 'test/**'],
    rules: { 'no-restricted-globals': 'off', 'no-restricted-properties': 'off', 'no-restricted-imports': 'off' },
  },
  {
    // Answers of the API are looked into as their readers would; the views' own types would hide a wrong one.
    files: ['test/api/**', 'test/e2e/**'],
    rules: {
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
);
