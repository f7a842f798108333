import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TopWorld } from './top-world';

const COMMITTED = join(__dirname, '../../docs/openapi.json');

describe('the description of the API', () => {
  const world = new TopWorld();
  beforeAll(async () => {
    await world.start();
  });
  afterAll(async () => {
    await world.stop();
  });

  it('is the one in docs/openapi.json (WEIR_UPDATE=1 writes it)', async () => {
    const { body } = await world.get('/docs-json');
    const text = `${JSON.stringify(body, undefined, 2)}\n`;
    if (process.env['WEIR_UPDATE'] === '1') writeFileSync(COMMITTED, text);
    expect(text).toBe(readFileSync(COMMITTED, 'utf8'));
    expect(body['paths']['/weir/v1/sites'].post.requestBody.content['application/json'].schema.required).toEqual([
      'site',
    ]);
  });

  it('has no route that answers without a token, but those that must', async () => {
    const { body } = await world.get('/docs-json');
    const open: string[] = [];
    for (const [path, methods] of Object.entries(body['paths'] as Record<string, Record<string, unknown>>)) {
      for (const method of Object.keys(methods)) {
        const answer = await world.send(
          undefined,
          method.toUpperCase(),
          path.replaceAll(/\{\w+\}/g, '00000000-0000-4000-8000-000000000000'),
        );
        if (answer.status !== 401) open.push(`${method} ${path}`);
      }
    }
    expect(open.sort()).toEqual(
      [
        'get /compute',
        'get /compute/v2.1',
        'get /identity',
        'get /identity/v3',
        'get /image',
        'get /image/versions',
        'get /livez',
        'get /metrics',
        'get /network',
        'post /identity/v3/auth/tokens',
      ].sort(),
    );
  });
});
