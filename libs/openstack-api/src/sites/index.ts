export * from './views';
import { z } from 'zod';

/** Names that also stand in stream names, namespaces and `<data center>:<zone>`. */
const siteName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, {
  error: 'A name has 1 to 63 letters, digits, dots, dashes or underscores, and begins with a letter or digit',
});

/** `POST /weir/v1/sites` (DESIGN: formats and defaults, "Add site"). */
export const siteCreate = z.strictObject({
  site: z.strictObject({
    name: siteName,
    data_center: siteName,
    availability_zones: z.array(siteName).min(1).max(32),
    driver: z.enum(['ovs', 'simulated']),
    tunnel: z
      .strictObject({
        type: z.enum(['vxlan']),
        /** Of the underlay, in bytes. */
        mtu: z.number().int().min(1280).max(9216),
      })
      .default({ type: 'vxlan', mtu: 1500 }),
  }),
});
export type SiteCreate = z.output<typeof siteCreate>['site'];

/** `POST /weir/v1/sites/adopt`, `/weir/v1/sites/{id}/discard` and so on: what an operator decides in a quarantine. */
export const siteDecision = z.strictObject({
  /** Sites that are not connected start over when they come: what the log does not know there is left alone. */
  force: z.boolean().default(false),
});

/** `POST /weir/v1/servers/{id}/exec`. */
export const execBody = z.strictObject({
  command: z.array(z.string().max(65_536)).min(1).max(256),
  /** Seconds. */
  timeout: z.number().int().min(1).max(300).default(30),
});
