import { type Cidr, type Id, type Ip, isIp, isUuid, type Mac, parseCidr, parseIp, parseMac } from '@weir/kernel';
import { z } from 'zod';

/** The values that fields of events have. They say what a value is, not what is allowed: rules change with deciders, recorded events never do. */

const text = <Text extends string>(format: string, is: (text: string) => boolean) =>
  z
    .custom<Text>((value) => typeof value === 'string' && is(value), { error: `expected ${format}` })
    .meta({ type: 'string', format });

/** Whether `parse` takes it as it stands, in its canonical text. */
function isCanonical(parse: (text: string) => string, value: string): boolean {
  try {
    return parse(value) === value;
  } catch {
    return false;
  }
}

export const id = <Kind extends string>(kind: Kind) => text<Id<Kind>>(`id of a ${kind}`, isUuid);
export const anyId = text('id', isUuid);
export const ip = text<Ip>('IP address', (value) => isIp(value) && isCanonical(parseIp, value));
export const cidr = text<Cidr>('CIDR', (value) => isCanonical(parseCidr, value));
export const mac = text<Mac>('MAC address', (value) => isCanonical(parseMac, value));
export const sha256 = text('SHA-256 in hex', (value) => /^[0-9a-f]{64}$/.test(value));
export const name = z.string().min(1);
export const amount = z.int().nonnegative();
export const count = z.int().positive();

export const resources = {
  vcpus: amount.describe('Virtual processors.'),
  ramMb: amount.describe('Memory, in MiB.'),
  diskGb: amount.describe('Disk, in GiB.'),
};

export const hostRoute = z.strictObject({
  destination: cidr.describe('Where the route leads.'),
  nexthop: ip.describe('Who takes what goes there.'),
});

/** A type of event as it is written now; the object's description says when it appears, each field's what it means. */
export interface EventSchema<Data extends z.ZodObject = z.ZodObject> {
  readonly version: number;
  readonly data: Data;
}

/** Unknown fields are refused: whatever is in the log has a meaning. */
export function event<Shape extends z.core.$ZodLooseShape>(version: number, appears: string, fields: Shape) {
  return { version, data: z.strictObject(fields).describe(appears) };
}

/** Fields that an event has only where they changed. */
export function changed<Shape extends Readonly<Record<string, z.ZodType>>>(fields: Shape) {
  const optional = Object.entries(fields).map(([field, schema]) => [field, z.exactOptional(schema)]);
  return Object.fromEntries(optional) as { readonly [Field in keyof Shape]: z.ZodExactOptional<Shape[Field]> };
}

/** What a schema describes, to read only. */
export type ValueOf<Schema extends z.ZodType> = Fixed<z.infer<Schema>>;
export type FieldsOf<Shape extends z.core.$ZodLooseShape> = ValueOf<z.ZodObject<Shape>>;

type Fixed<Value> = Value extends string | number | boolean | null | undefined
  ? Value
  : Value extends readonly (infer Item)[]
    ? readonly Fixed<Item>[]
    : { readonly [Field in keyof Value]: Fixed<Value[Field]> };

export type EventOf<Schemas extends Readonly<Record<string, EventSchema>>> = {
  [Type in keyof Schemas & string]: { readonly type: Type; readonly data: ValueOf<Schemas[Type]['data']> };
}[keyof Schemas & string];
