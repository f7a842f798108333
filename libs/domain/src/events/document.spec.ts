import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { eventCatalogue } from './catalogue';
import { eventsDocument } from './document';

const file = join(__dirname, '../../../../docs/events.md');

/** Every description in it: its own, its fields', theirs. */
function undescribed(schema: z.core.JSONSchema.BaseSchema, path: string): readonly string[] {
  const fields = Object.entries(schema.properties ?? {}).flatMap(([name, field]) =>
    typeof field === 'boolean' || field.description !== undefined ? [] : [`${path}.${name}`],
  );
  const within = Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    if (typeof field === 'boolean') return [];
    const { items } = field;
    const item = typeof items === 'object' && !Array.isArray(items) ? items : {};
    return [...undescribed(field, `${path}.${name}`), ...undescribed(item, `${path}.${name}[]`)];
  });
  return [...fields, ...within];
}

describe('docs/events.md', () => {
  it('says what the schemas say (else: npm run generate:events)', () => {
    const present = readFileSync(file, 'utf8');
    expect(present).toBe(eventsDocument(present));
  });
  it('has the meaning of every type and every field', () => {
    const missing = eventCatalogue.flatMap(({ events }) =>
      Object.entries(events).flatMap(([type, { data }]) => {
        const schema = z.toJSONSchema(data, { unrepresentable: 'any' });
        return [...(schema.description === undefined ? [type] : []), ...undescribed(schema, type)];
      }),
    );
    expect(missing).toEqual([]);
  });
  it('keeps what was written by hand above, and nothing else', () => {
    const [prose = ''] = eventsDocument('# Events\n\nBy hand.\n').split('<!--');
    expect(prose).toBe('# Events\n\nBy hand.\n');
    expect(eventsDocument(eventsDocument('# Events\n'))).toBe(eventsDocument('# Events\n'));
  });
});
