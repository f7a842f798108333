import { parseMetrics } from './metrics';

describe('the samples of a scrape', () => {
  it('have a name, labels and a value', () => {
    const text = [
      '# HELP weir_host_flows Flows on the host’s bridge.',
      '# TYPE weir_host_flows gauge',
      'weir_host_flows{site="paris",host="paris-1"} 98',
      'weir_log_position 1204',
      'odd{text="a \\"quoted\\" one, with }"} 1.5e3',
      '',
    ].join('\n');
    expect(parseMetrics(text)).toEqual([
      { name: 'weir_host_flows', labels: { site: 'paris', host: 'paris-1' }, value: 98 },
      { name: 'weir_log_position', labels: {}, value: 1204 },
      { name: 'odd', labels: { text: 'a \\"quoted\\" one, with }' }, value: 1500 },
    ]);
  });
});
