import { z } from 'zod';
import { isIp, parseIp } from '@weir/kernel';

/** What a level below saw: last values, never events of their own. Kind and id name the thing, `value` is one of these. */

/** In its canonical text, whatever was sent. */
const address = z.string().max(45).refine(isIp, 'not an IP address').transform(parseIp);

export const faultSchema = z.object({ host: z.string().max(255), message: z.string().max(2000) });

/** `gone`: stopped, its namespace and OVS port removed. */
export const serverObservation = z.object({
  status: z.enum(['building', 'active', 'error', 'gone']),
  host: z.string().max(255).optional(),
  fault: faultSchema.optional(),
});

export const portObservation = z.object({ status: z.enum(['active', 'down', 'gone']) });

export const bindingObservation = z.object({
  host: z.string().max(255),
  endpoint: address,
});

/** Of one zone of a site: the totals of its configured hosts. */
export const capacityObservation = z.object({
  vcpus: z.number().int().nonnegative(),
  ramMb: z.number().int().nonnegative(),
  diskGb: z.number().int().nonnegative(),
});

/** What a Host says of itself when it connects. */
export const hostObservation = z.object({
  zone: z.string().max(255),
  vcpus: z.number().int().nonnegative(),
  ramMb: z.number().int().nonnegative(),
  diskGb: z.number().int().nonnegative(),
  hypervisor: z.enum(['namespace', 'qemu']),
  endpoint: address,
  /** Added by its Bottom while the host is silent: RFC 3339. */
  unreachableSince: z.string().max(40).optional(),
});

/** Counters of one host since its process started, all monotonic; the kind of message → count. */
export const metricsObservation = z.object({
  messages: z.record(z.string(), z.number()),
  flowsAdded: z.number(),
  flowsModified: z.number(),
  flowsRemoved: z.number(),
  bundles: z.number(),
  punts: z.record(z.string(), z.number()),
  flows: z.number(),
});

/** The last seal of the Top's log that did not follow from what the site was told before. */
export const sealObservation = z.object({
  position: z.number().int().positive(),
  digest: z.string().max(128),
});

export const observationSchemas = {
  server: serverObservation,
  port: portObservation,
  /** The id is the port's. */
  binding: bindingObservation,
  /** The id is the zone's name. */
  capacity: capacityObservation,
  /** The id is the host's name. */
  host: hostObservation,
  /** The id is the host's name. */
  metrics: metricsObservation,
  /** The id is `log`. */
  seal: sealObservation,
} as const;

export type ObservationKind = keyof typeof observationSchemas;
export type ObservationValue<K extends ObservationKind> = z.output<(typeof observationSchemas)[K]>;
