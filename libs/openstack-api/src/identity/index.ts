import { z } from 'zod';

/** Keystone v3: what `POST /v3/auth/tokens` takes (Identity API v3, "Password authentication with scoped authorization"). */
const domain = z.object({ id: z.string().max(64).optional(), name: z.string().max(64).optional() });
const projectScope = z.object({
  id: z.string().max(64).optional(),
  name: z.string().max(64).optional(),
  domain: domain.optional(),
});

export const authSchema = z.object({
  auth: z.object({
    identity: z.object({
      methods: z
        .array(z.enum(['password', 'token'], { error: "Only the methods 'password' and 'token' are supported" }))
        .min(1)
        .max(2),
      password: z
        .object({
          user: z.object({
            id: z.string().max(64).optional(),
            name: z.string().max(255).optional(),
            domain: domain.optional(),
            password: z.string().max(1024),
          }),
        })
        .optional(),
      token: z.object({ id: z.string().max(1024) }).optional(),
    }),
    scope: z
      .union([
        z.object({ project: projectScope }),
        z.object({ system: z.object({ all: z.boolean() }) }),
        z.object({ domain }),
        z.literal('unscoped'),
      ])
      .optional(),
  }),
});
export type AuthRequest = z.output<typeof authSchema>;

export const DEFAULT_DOMAIN = { id: 'default', name: 'Default' } as const;

export interface CatalogService {
  readonly type: string;
  readonly name: string;
  readonly path: string;
}

/** Paths below the API's address; `data-protect` and `volumev3` join with their services. */
export const CATALOG: readonly CatalogService[] = [
  { type: 'identity', name: 'keystone', path: '/identity/v3' },
  { type: 'network', name: 'neutron', path: '/network' },
  { type: 'compute', name: 'nova', path: '/compute/v2.1' },
  { type: 'image', name: 'glance', path: '/image' },
];

export const REGION = 'weir';

export function catalogView(address: string): readonly unknown[] {
  return CATALOG.map((service) => ({
    id: service.type,
    type: service.type,
    name: service.name,
    endpoints: ['public', 'internal', 'admin'].map((kind) => ({
      id: `${service.type}-${kind}`,
      interface: kind,
      region: REGION,
      region_id: REGION,
      url: `${address}${service.path}`,
    })),
  }));
}

export interface TokenFacts {
  readonly user: { readonly id: string; readonly name: string };
  readonly project: { readonly id: string; readonly name: string } | undefined;
  readonly system: boolean;
  readonly roles: readonly { readonly id: string; readonly name: string }[];
  readonly methods: readonly string[];
  /** RFC 3339. */
  readonly issuedAt: string;
  readonly expiresAt: string;
  readonly auditIds: readonly string[];
}

export function tokenView(token: TokenFacts, address: string): unknown {
  return {
    token: {
      methods: token.methods,
      user: { id: token.user.id, name: token.user.name, domain: DEFAULT_DOMAIN, password_expires_at: null },
      audit_ids: token.auditIds,
      issued_at: token.issuedAt,
      expires_at: token.expiresAt,
      ...(token.project ? { project: { ...token.project, domain: DEFAULT_DOMAIN }, is_domain: false } : {}),
      ...(token.system ? { system: { all: true } } : {}),
      ...(token.project || token.system ? { roles: token.roles, catalog: catalogView(address) } : {}),
    },
  };
}

export function projectView(project: { readonly id: string; readonly name: string }, address: string): unknown {
  return {
    id: project.id,
    name: project.name,
    description: '',
    domain_id: DEFAULT_DOMAIN.id,
    enabled: true,
    is_domain: false,
    parent_id: DEFAULT_DOMAIN.id,
    tags: [],
    options: {},
    links: { self: `${address}/identity/v3/projects/${project.id}` },
  };
}

export function userView(user: { readonly id: string; readonly name: string }, address: string): unknown {
  return {
    id: user.id,
    name: user.name,
    domain_id: DEFAULT_DOMAIN.id,
    enabled: true,
    password_expires_at: null,
    options: {},
    links: { self: `${address}/identity/v3/users/${user.id}` },
  };
}

export function versionView(address: string): Record<string, unknown> {
  return {
    id: 'v3.14',
    status: 'stable',
    updated: '2020-04-07T00:00:00Z',
    links: [{ rel: 'self', href: `${address}/identity/v3/` }],
    'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.identity-v3+json' }],
  };
}
