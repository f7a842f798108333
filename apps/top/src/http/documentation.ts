import { applyDecorators, SetMetadata } from '@nestjs/common';
import { ApiBody, ApiHeader, ApiQuery } from '@nestjs/swagger';
import { z } from 'zod';

type BodySchema = NonNullable<Extract<Parameters<typeof ApiBody>[0], { schema: unknown }>['schema']>;

/** Tells the API's description what the body's schema is. */
export function DescribedBody(schema: z.ZodType): MethodDecorator {
  const described = z.toJSONSchema(schema, { io: 'input', target: 'openapi-3.0', unrepresentable: 'any' });
  return applyDecorators(ApiBody({ schema: described as BodySchema }));
}

export const INTENT = 'weir:intent';

/**
 * A route that changes what is desired, by events alone or with effects that wait for them (`unlessRehearsed`): it can be
 * rehearsed, replayed, and sent twice with one key.
 */
export function Intent(): MethodDecorator {
  return applyDecorators(
    SetMetadata(INTENT, true),
    ApiQuery({
      name: 'dry_run',
      required: false,
      enum: ['true', 'false'],
      description: 'Answers what the request would come to, and stores nothing.',
    }),
    ApiHeader({
      name: 'X-Weir-Replay',
      required: false,
      description: '`replay` of a dry run of this request: exactly its events, or 409.',
    }),
    ApiHeader({
      name: 'Idempotency-Key',
      required: false,
      description: '1 to 255 printable characters: the first answer again for 24 h, whoever sends it twice.',
    }),
  );
}
