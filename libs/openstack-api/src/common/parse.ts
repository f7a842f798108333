import { z } from 'zod';
import { invalid } from '@weir/kernel';

/** Takes a request's body apart by its schema; throws `invalid` that names the field, what is wrong and what was allowed. */
export function parseBody<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
  const result = schema.safeParse(body, { reportInput: false });
  if (result.success) return result.data;
  throw invalid(result.error.issues.slice(0, 5).map(describeIssue).join(' '));
}

function describeIssue(issue: z.core.$ZodIssue): string {
  const field = issue.path.join('.');
  if (issue.code === 'unrecognized_keys')
    return `Unrecognized attribute(s) '${issue.keys.map((key) => key.slice(0, 64)).join(', ')}'.`;
  return field === '' ? `${issue.message}.` : `Invalid input for ${field}. ${issue.message}.`;
}

export const nameSchema = z.string().max(255);
export const descriptionSchema = z.string().max(255);
/** Keystone takes both forms of an id; ours have dashes. */
export const uuidSchema = z.uuid().transform((text) => text.toLowerCase());
