import { z } from 'zod';
import { parseIp } from '@weir/kernel';
import { uuidSchema } from '../common/index';

/** Bodies of the Compute API v2.1. */

/** Nova allows printable names of 1 to 255 characters. */
const serverName = z
  .string()
  .trim()
  .min(1)
  .max(255)
  .regex(/^[\P{C}]*$/u, { error: 'A name may hold only printable characters' });
const metadata = z
  .record(z.string().min(1).max(255), z.string().max(255))
  .refine((items) => Object.keys(items).length <= 128, 'At most 128 items');
const reference = z.union([
  z.string(),
  z.strictObject({ id: z.string(), links: z.unknown().optional() }).transform((image) => image.id),
]);

const network = z
  .strictObject({
    uuid: uuidSchema.optional(),
    port: uuidSchema.optional(),
    fixed_ip: z.string().max(45).transform(parseIp).optional(),
    tag: z.string().max(60).optional(),
  })
  .refine((item) => item.uuid !== undefined || item.port !== undefined, 'A network needs uuid or port');

export const serverCreate = z.strictObject({
  server: z.strictObject({
    name: serverName,
    flavorRef: z.union([z.string().max(255), z.number()]).transform(String),
    imageRef: reference.optional(),
    networks: z.union([z.array(network).max(16), z.literal('auto'), z.literal('none')]).optional(),
    availability_zone: z.string().max(255).optional(),
    metadata: metadata.optional(),
    min_count: z.coerce.number().int().min(1).max(100).optional(),
    max_count: z.coerce.number().int().min(1).max(100).optional(),
    description: z.string().max(255).nullable().optional(),
    'OS-DCF:diskConfig': z.enum(['AUTO', 'MANUAL']).optional(),
    security_groups: z.array(z.strictObject({ name: z.string() })).optional(),
    config_drive: z.union([z.literal(false), z.literal('')], { error: 'A config drive is not supported' }).optional(),
    user_data: z.null({ error: 'User data is not supported' }).optional(),
    key_name: z.null({ error: 'Key pairs are not supported' }).optional(),
    block_device_mapping_v2: z
      .array(
        z.looseObject({ source_type: z.literal('image', { error: 'Volumes are not supported' }), uuid: z.string() }),
      )
      .max(1)
      .optional(),
    tags: z.array(z.string()).max(0, { error: 'Server tags are not supported' }).optional(),
    hostname: z.string().max(255).optional(),
  }),
  'os:scheduler_hints': z.looseObject({}).optional(),
  'OS-SCH-HNT:scheduler_hints': z.looseObject({}).optional(),
});
export type ServerCreate = z.output<typeof serverCreate>['server'];

export const serverUpdate = z.strictObject({
  server: z.strictObject({
    name: serverName.optional(),
    description: z.string().max(255).nullable().optional(),
    'OS-DCF:diskConfig': z.enum(['AUTO', 'MANUAL']).optional(),
  }),
});

export const metadataBody = z.strictObject({ metadata });
