import type { View } from '../view';

/** One row per counter, for tests that need rows and do not care which. */
export const counters: View = {
  name: 'counters',
  tables: [
    {
      name: 'rm_counters',
      columns: { counter: 'text', events: 'integer', sum: 'integer' },
      key: ['counter'],
      indexes: [['sum']],
    },
  ],
  rows: ({ data, revision }) => {
    const counter = data['counter'] ?? null;
    const by = Number(data['by']);
    return revision === 0
      ? [{ op: 'put', table: 'rm_counters', row: { counter, events: 1, sum: by } }]
      : [{ op: 'add', table: 'rm_counters', key: { counter }, add: { events: 1, sum: by } }];
  },
};
