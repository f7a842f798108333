import { z } from 'zod';
import { eventCatalogue, type StreamFamily } from './catalogue';
import type { EventSchema } from './fields';

type Schema = z.core.JSONSchema.BaseSchema;

const GENERATED = '<!-- From here on generated from libs/domain/src/events: npm run generate:events -->';

/** docs/events.md: what was written by hand at the top of `present` stays, the rest is made from the schemas. */
export function eventsDocument(present: string): string {
  const [prose = ''] = present.split(GENERATED);
  return [prose + GENERATED, streamTable(), ...eventCatalogue.map(family), ''].join('\n\n').replace(/\n+$/, '\n');
}

function streamTable(): string {
  const rows = eventCatalogue.flatMap(({ streams }) => Object.entries(streams));
  return [
    '## Streams',
    '',
    'One per thing, and one per scarce thing, so that taking two different addresses never conflicts. Ids are lower-case UUIDs.',
    '',
    ...table(
      ['stream', 'holds'],
      rows.map(([name, holds]) => [code(name), holds]),
    ),
  ].join('\n');
}

function family({ title, streams, notes, events }: StreamFamily): string {
  const names = Object.keys(streams).map(code).join(', ');
  const types = Object.entries(events).map(([type, schema]) => eventType(type, schema));
  return [`## ${title}: ${names}`, ...(notes === undefined ? [] : [notes]), ...types].join('\n\n');
}

function eventType(type: string, { version, data }: EventSchema): string {
  const schema = z.toJSONSchema(data, { unrepresentable: 'any' });
  const rows = fields(schema, '').map(({ path, value, meaning }) => [code(path), value, meaning]);
  return [
    `### ${type}`,
    '',
    `Version ${version}. ${schema.description ?? ''}`,
    ...(rows.length > 0 ? ['', ...table(['field', 'value', 'meaning'], rows)] : []),
  ].join('\n');
}

interface Field {
  readonly path: string;
  readonly value: string;
  readonly meaning: string;
}

function fields({ properties = {}, required = [] }: Schema, prefix: string): readonly Field[] {
  return Object.entries(properties).flatMap(([name, property]) => {
    if (typeof property === 'boolean') return [];
    const path = prefix + name;
    const only = required.includes(name) ? '' : '; only where it changed';
    const own = { path, value: valueOf(property) + only, meaning: property.description ?? '' };
    return [own, ...fields(property, `${path}.`), ...fields(itemOf(property), `${path}[].`)];
  });
}

function itemOf({ items }: Schema): Schema {
  return typeof items === 'object' && !Array.isArray(items) ? items : {};
}

const VALUES: Readonly<Record<string, string>> = {
  string: 'text',
  boolean: 'true or false',
  integer: 'whole number',
  null: 'null',
  object: 'object',
};

function valueOf(schema: Schema): string {
  if (schema.anyOf) return schema.anyOf.map(valueOf).join(' or ');
  if (schema.enum) return schema.enum.map((value) => code(String(value))).join(', ');
  if (schema.type === 'array') return `list of: ${valueOf(itemOf(schema))}`;
  if (typeof schema.additionalProperties === 'object') return `${valueOf(schema.additionalProperties)} by key`;
  return schema.format ?? (typeof schema.type === 'string' ? VALUES[schema.type] : undefined) ?? '';
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)];
}

function code(text: string): string {
  return `\`${text}\``;
}
