import { applyDecorators } from '@nestjs/common';
import { ApiBody } from '@nestjs/swagger';
import { z } from 'zod';

type BodySchema = NonNullable<Extract<Parameters<typeof ApiBody>[0], { schema: unknown }>['schema']>;

/** Tells the API's description what the body's schema is. */
export function DescribedBody(schema: z.ZodType): MethodDecorator {
  const described = z.toJSONSchema(schema, { io: 'input', target: 'openapi-3.0', unrepresentable: 'any' });
  return applyDecorators(ApiBody({ schema: described as BodySchema }));
}
