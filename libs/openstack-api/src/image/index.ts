/** The one built-in image: on the `namespace` hypervisor it is the namespace itself, so it has no bytes to download. */
export interface Image {
  readonly id: string;
  readonly name: string;
  readonly createdAt: string;
}

export const WEIR_INSTANCE: Image = {
  id: '5a1f0000-0000-4000-8000-000000000001',
  name: 'weir-instance',
  createdAt: '2026-01-01T00:00:00Z',
};

/** Image API v2, "Show image": a public image; `checksum` and `size` are null until bytes come with the image service. */
export function imageView(image: Image): { readonly id: string } & Record<string, unknown> {
  return {
    id: image.id,
    name: image.name,
    status: 'active',
    visibility: 'public',
    protected: true,
    os_hidden: false,
    owner: null,
    disk_format: 'raw',
    container_format: 'bare',
    min_disk: 0,
    min_ram: 0,
    size: null,
    virtual_size: null,
    checksum: null,
    os_hash_algo: null,
    os_hash_value: null,
    tags: [],
    created_at: image.createdAt,
    updated_at: image.createdAt,
    self: `/v2/images/${image.id}`,
    file: `/v2/images/${image.id}/file`,
    schema: '/v2/schemas/image',
  };
}

export const IMAGE_FILTERS: readonly string[] = [
  'id',
  'name',
  'status',
  'visibility',
  'owner',
  'disk_format',
  'container_format',
  'protected',
  'os_hidden',
  'tag',
  'member_status',
];

export function versionsView(address: string): unknown {
  const version = (id: string, status: string) => ({
    id,
    status,
    links: [{ rel: 'self', href: `${address}/image/v2/` }],
  });
  return {
    versions: [
      version('v2.9', 'CURRENT'),
      version('v2.7', 'SUPPORTED'),
      version('v2.5', 'SUPPORTED'),
      version('v2.0', 'SUPPORTED'),
    ],
  };
}
