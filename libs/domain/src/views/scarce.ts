import { parseEvent } from '../events/index';
import { idIn, partsOf, type Row, type RowChange, type Table, type View } from './view';

const addresses: Table = {
  name: 'rm_addresses',
  columns: { subnet_id: 'text', ip_address: 'text', port_id: 'text' },
  key: ['subnet_id', 'ip_address'],
  indexes: [['port_id'], ['ip_address']],
};

const segments: Table = {
  name: 'rm_segments',
  columns: { segment_type: 'text', segment_key: 'integer', network_id: 'text' },
  key: ['segment_type', 'segment_key'],
  indexes: [['network_id']],
};

/** What is taken, so that candidates are picked from what is free; only the append decides. */
export const scarceView: View = {
  name: 'scarce',
  tables: [addresses, segments],
  rows(stored) {
    const event = parseEvent(stored);
    if (event.type !== 'Taken' && event.type !== 'Freed') return [];
    const change = (table: string, key: Row, holder: string): RowChange[] => [
      event.type === 'Taken'
        ? { op: 'put', table, row: { ...key, [holder]: event.data.by } }
        : { op: 'remove', table, key },
    ];
    const address = partsOf(event.stream, 'address');
    if (address) return change(addresses.name, { subnet_id: address.id, ip_address: address.rest }, 'port_id');
    if (event.stream.startsWith('segment-')) {
      const [type = '', key = ''] = idIn(event.stream, 'segment').split('-');
      return change(segments.name, { segment_type: type, segment_key: Number(key) }, 'network_id');
    }
    return [];
  },
};
