import { TopWorld } from './top-world';

/** Sends all at once and answers how often each status came. */
async function statuses(requests: readonly Promise<{ status: number }>[]): Promise<Record<number, number>> {
  const counts: Record<number, number> = {};
  for (const { status } of await Promise.all(requests)) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

describe('networks', () => {
  const world = new TopWorld();
  beforeAll(async () => {
    await world.start();
  });
  afterAll(async () => {
    await world.stop();
  });

  /** 32 clients, each with one request after another. */
  async function by32(
    requests: number,
    send: (index: number) => Promise<{ status: number }>,
  ): Promise<Record<number, number>> {
    const counts: Record<number, number> = {};
    let next = 0;
    await Promise.all(
      Array.from({ length: 32 }, async () => {
        for (let index = next++; index < requests; index = next++) {
          const { status } = await send(index);
          counts[status] = (counts[status] ?? 0) + 1;
        }
      }),
    );
    return counts;
  }

  it('give 32 clients in one /16 a port each, every time, with no address twice', async () => {
    const { id } = await world.network('wide', '10.0.0.0/16');
    expect(await by32(640, () => world.post('/network/v2.0/ports', { port: { network_id: id } }))).toEqual({
      201: 640,
    });
    const { ports } = (await world.get(`/network/v2.0/ports?network_id=${id}`)).body;
    expect(
      new Set(ports.map((port: { fixed_ips: { ip_address: string }[] }) => port.fixed_ips[0]?.ip_address)).size,
    ).toBe(640);
    expect(new Set(ports.map((port: { mac_address: string }) => port.mac_address)).size).toBe(640);
  }, 60_000);

  it('give 32 clients in a nearly full /24 exactly what is left, and then say that it is full', async () => {
    const { id } = await world.network('narrow', '10.1.1.0/24');
    // 253 addresses: all but network, broadcast and gateway.
    expect(await by32(203, () => world.post('/network/v2.0/ports', { port: { network_id: id } }))).toEqual({
      201: 203,
    });
    expect(await by32(80, () => world.post('/network/v2.0/ports', { port: { network_id: id } }))).toEqual({
      201: 50,
      409: 30,
    });
    const { ports } = (await world.get(`/network/v2.0/ports?network_id=${id}`)).body;
    expect(
      new Set(ports.map((port: { fixed_ips: { ip_address: string }[] }) => port.fixed_ips[0]?.ip_address)).size,
    ).toBe(253);
    const full = await world.post('/network/v2.0/ports', { port: { network_id: id } });
    expect(full.body['NeutronError']).toMatchObject({
      type: 'IpAddressGenerationFailure',
      message: `No more IP addresses available on network ${id}.`,
    });
  }, 60_000);

  it('are deleted or get their port, never half of both', async () => {
    for (let round = 0; round < 20; round++) {
      const { id } = await world.network(`race-${round}`, '10.2.2.0/24');
      const ports = Array.from({ length: 4 }, () => world.post('/network/v2.0/ports', { port: { network_id: id } }));
      const deletion = await world.delete(`/network/v2.0/networks/${id}`);
      const made = (await Promise.all(ports)).filter((answer) => answer.status === 201);
      const shown = await world.get(`/network/v2.0/networks/${id}`);
      if (deletion.status === 204) {
        expect([made.length, shown.status]).toEqual([0, 404]);
      } else {
        expect([deletion.status, deletion.body['NeutronError'].type, shown.status]).toEqual([409, 'NetworkInUse', 200]);
        for (const answer of made)
          expect((await world.delete(`/network/v2.0/ports/${answer.body['port'].id as string}`)).status).toBe(204);
        expect((await world.delete(`/network/v2.0/networks/${id}`)).status).toBe(204);
      }
    }
  }, 60_000);

  it('give their scarce things back when they go', async () => {
    const { id, subnet } = await world.network('short', '10.4.4.0/24');
    const port = await world.post('/network/v2.0/ports', {
      port: { network_id: id, fixed_ips: [{ ip_address: '10.4.4.44' }], mac_address: 'fa:16:3e:44:44:44' },
    });
    expect(port.status).toBe(201);
    const again = await world.post('/network/v2.0/ports', {
      port: { network_id: id, fixed_ips: [{ ip_address: '10.4.4.44' }] },
    });
    expect(again.body['NeutronError'].type).toBe('IpAddressAlreadyAllocated');
    const sameMac = await world.post('/network/v2.0/ports', {
      port: { network_id: id, mac_address: 'FA:16:3E:44:44:44' },
    });
    expect(sameMac.body['NeutronError'].type).toBe('MacAddressInUse');
    expect((await world.delete(`/network/v2.0/subnets/${subnet}`)).body['NeutronError'].type).toBe('SubnetInUse');
    await world.delete(`/network/v2.0/ports/${port.body['port'].id as string}`);
    const third = await world.post('/network/v2.0/ports', {
      port: { network_id: id, fixed_ips: [{ ip_address: '10.4.4.44' }], mac_address: 'fa:16:3e:44:44:44' },
    });
    expect(third.status).toBe(201);
  });

  it('route between subnets that do not overlap, and between no others', async () => {
    const router = (await world.post('/network/v2.0/routers', { router: { name: 'r' } })).body['router'];
    const path = `/network/v2.0/routers/${router.id as string}`;
    const [one, two, clash] = [
      await world.network('a', '10.5.1.0/24'),
      await world.network('b', '10.5.2.0/24'),
      await world.network('c', '10.5.1.128/25'),
    ];
    const added = await world.put(`${path}/add_router_interface`, { subnet_id: one.subnet });
    expect(added.body).toMatchObject({ id: router.id, subnet_id: one.subnet, network_id: one.id });
    expect((await world.put(`${path}/add_router_interface`, { subnet_id: two.subnet })).status).toBe(200);
    const refused = await world.put(`${path}/add_router_interface`, { subnet_id: clash.subnet });
    expect([refused.status, refused.body['NeutronError'].message]).toEqual([400, expect.stringContaining('overlaps')]);
    expect((await world.delete(path)).body['NeutronError'].type).toBe('RouterInUse');
    expect((await world.delete(`/network/v2.0/ports/${added.body['port_id'] as string}`)).status).toBe(409);
    for (const { subnet } of [one, two])
      expect((await world.put(`${path}/remove_router_interface`, { subnet_id: subnet })).status).toBe(200);
    expect((await world.delete(path)).status).toBe(204);
  });

  it('are another project’s business only', async () => {
    const { id, subnet } = await world.network('private', '10.6.0.0/24', 'admin');
    const unknown = '00000000-0000-4000-8000-000000000000';
    const asDemo = await statuses([
      world.get(`/network/v2.0/networks/${id}`),
      world.put(`/network/v2.0/networks/${id}`, { network: { name: 'mine' } }),
      world.delete(`/network/v2.0/networks/${id}`),
      world.get(`/network/v2.0/subnets/${subnet}`),
      world.post('/network/v2.0/ports', { port: { network_id: id } }),
      world.post('/network/v2.0/ports', { port: { network_id: unknown } }),
    ]);
    expect(asDemo).toEqual({ 404: 6 });
    expect((await world.get('/network/v2.0/networks?name=private')).body['networks']).toEqual([]);
    expect((await world.get('/weir/v1/sites')).status).toBe(403);
    expect((await world.post('/network/v2.0/networks', { network: { project_id: unknown } })).status).toBe(403);
    expect((await world.post('/network/v2.0/networks', { network: { 'provider:segmentation_id': 5 } })).status).toBe(
      403,
    );
    expect((await world.get(`/network/v2.0/networks/${id}`)).body).toEqual(
      (await world.get(`/network/v2.0/networks/${unknown}`.replace(unknown, id))).body,
    );
  });

  it('are listed by filters, pages and order, and refuse filters that they do not know', async () => {
    for (const name of ['page-c', 'page-a', 'page-b']) await world.network(name);
    const first = (
      await world.get('/network/v2.0/networks?name=page-a&name=page-b&name=page-c&sort_key=name&limit=2&fields=name')
    ).body;
    expect(first['networks']).toEqual([{ name: 'page-a' }, { name: 'page-b' }]);
    const next = new URL(first['networks_links'][0].href as string);
    const second = (await world.get(next.pathname + next.search)).body;
    expect(second['networks']).toEqual([{ name: 'page-c' }]);
    expect(
      (await world.get('/network/v2.0/networks?sort_key=name&sort_dir=desc&name=page-a&name=page-c&fields=name')).body[
        'networks'
      ],
    ).toEqual([{ name: 'page-c' }, { name: 'page-a' }]);
    expect((await world.get('/network/v2.0/networks?colour=red')).body['NeutronError'].message).toContain("'colour'");
    expect((await world.get('/network/v2.0/networks?limit=x')).status).toBe(400);
    expect((await world.get('/network/v2.0/networks?marker=x')).status).toBe(400);
  });

  it('are found by their segment by admins alone', async () => {
    const { id } = await world.network('on-the-wire');
    const shown = (await world.get(`/network/v2.0/networks/${id}`, 'admin')).body['network'];
    const found = (query: string, who: 'admin' | 'demo') => world.get(`/network/v2.0/networks?${query}`, who);
    const own = `provider:segmentation_id=${shown['provider:segmentation_id'] as number}`;
    expect((await found(own, 'admin')).body['networks']).toMatchObject([{ id }]);
    const hidden = [
      own,
      'provider:segmentation_id=1',
      'provider:network_type=vxlan',
      'sort_key=provider:segmentation_id',
    ];
    for (const query of hidden) expect([query, (await found(query, 'demo')).status]).toEqual([query, 400]);
  });
});
