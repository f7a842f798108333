import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { Publisher } from '@weir/cascade';
import { RecordingEvents } from '@weir/cascade/contract';
import { cascadeHttpHandler } from '@weir/cascade/http';
import { MemoryFactStore, MemoryMembership } from '@weir/cascade/memory';
import { type Clock, silentLogger, systemRandom, type Timers } from '@weir/kernel';
import type { Change } from './facts';

/** How a publisher can fail one who asks for facts, without meaning it. */
export type Misbehaviour =
  /** Refuses, with or without a reason. */
  | { readonly type: 'status'; readonly status: number; readonly body: string }
  /** Says nothing at all, or nothing behind the headers. */
  | { readonly type: 'silence'; readonly headers: boolean }
  | { readonly type: 'reset' }
  /** Ends in good order behind these lines. */
  | { readonly type: 'lines'; readonly lines: readonly string[] }
  /** The true answer, cut behind so many characters. */
  | { readonly type: 'half'; readonly characters: number }
  /** The true answer, with a field called otherwise. */
  | { readonly type: 'renamed'; readonly field: string; readonly to: string }
  /** The true answer without every so-manieth line. */
  | { readonly type: 'gaps'; readonly every: number };

const GENERATION = 2;
const FOLLOWER = 'follower';
const TOKEN = 'token';
/** How much a stream that lacks lines is let say before it is cut, so that its follower need not wait for silence. */
const LONGEST_TEXT = 1_500;

const hello = (generation: number): string =>
  JSON.stringify({ type: 'hello', protocol: 1, publisher: 'publisher', generation });

/** `nothing new`, told in various ways: none of them deletes anything. */
const emptyLists = (after: number, digest: string): readonly string[][] => {
  const mark = (fields: object): string =>
    JSON.stringify({ type: 'mark', position: after, previous: after, count: 0, digest, caughtUp: true, ...fields });
  return [
    [],
    [''],
    ['[]'],
    ['{"facts":[]}'],
    [hello(GENERATION)],
    [hello(GENERATION), mark({})],
    [hello(GENERATION), mark({ previous: 0 })],
    [hello(GENERATION), mark({ previous: 0, position: 0, digest: '' })],
    [hello(GENERATION - 1), mark({})],
    [hello(GENERATION - 1), mark({ previous: 0, position: 0, digest: '' })],
    ['<html><body>Welcome to the hotel network</body></html>'],
  ];
};

const EMPTY_LISTS = emptyLists(0, '').length;

export interface Script {
  readonly misbehaviour: Misbehaviour;
  /** Which of the empty lists, where it is to be one. */
  readonly emptyList: number | undefined;
}

const status = fc.record({
  type: fc.constant('status' as const),
  status: fc.constantFrom(301, 400, 401, 403, 404, 407, 409, 429, 500, 502, 503),
  body: fc.constantFrom(
    '',
    '{}',
    '[]',
    'null',
    '<html>',
    '{"error":"oops"}',
    `{"reason":"digest","generation":${GENERATION},"position":1}`,
    `{"reason":"generation","generation":${GENERATION - 1},"position":1}`,
  ),
});

/** Every misbehaviour, as a property draws them. */
export const scripts: fc.Arbitrary<Script> = fc.oneof(
  fc
    .oneof(
      status,
      fc.record({ type: fc.constant('silence' as const), headers: fc.boolean() }),
      fc.record({ type: fc.constant('reset' as const) }),
      fc.record({ type: fc.constant('half' as const), characters: fc.integer({ min: 1, max: 1_500 }) }),
      fc.record({
        type: fc.constant('renamed' as const),
        field: fc.constantFrom('type', 'kind', 'id', 'position', 'body', 'previous', 'count', 'digest', 'generation'),
        to: fc.constantFrom('uuid', 'name', '_', 'Type'),
      }),
      fc.record({ type: fc.constant('gaps' as const), every: fc.integer({ min: 2, max: 4 }) }),
    )
    .map((misbehaviour) => ({ misbehaviour, emptyList: undefined })),
  fc
    .integer({ min: 0, max: EMPTY_LISTS - 1 })
    .map((emptyList) => ({ misbehaviour: { type: 'lines', lines: [] } as const, emptyList })),
);

/** A publisher over real HTTP that answers the next calls for facts as it is told to, and then as it should. */
export class ErringPublisher {
  private readonly facts = new MemoryFactStore({ generation: GENERATION });
  private readonly membership = new MemoryMembership(() => GENERATION);
  private readonly publisher: Publisher;
  private readonly server = createServer((request, response) => void this.answer(request, response));
  private readonly streams = new Set<ServerResponse>();
  private script: Script[] = [];

  private constructor(time: Clock & Timers) {
    const { facts, membership } = this;
    const events = new RecordingEvents();
    const parts = { clock: time, timers: time, random: systemRandom, logger: silentLogger };
    this.publisher = new Publisher({ name: 'publisher', facts, membership, events, ...parts });
    membership.invite(TOKEN, FOLLOWER);
  }

  /** What a follower joins with. */
  readonly invitation = { token: TOKEN, name: FOLLOWER };

  static async listen(time: Clock & Timers): Promise<ErringPublisher> {
    const publisher = new ErringPublisher(time);
    publisher.server.listen(0, '127.0.0.1');
    await once(publisher.server, 'listening');
    return publisher;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  commit(...changes: readonly Change[]): void {
    const position = this.facts.head().position + 3;
    const digest = `${GENERATION}-${position}`;
    this.facts.commit({ position, digest, changes: changes.map((change) => ({ ...change, follower: FOLLOWER })) });
    this.publisher.changed();
  }

  /** Cuts whoever follows; the next dials are answered so, one after another. */
  misbehave(script: readonly Script[]): void {
    this.script = [...script];
    for (const stream of this.streams) stream.destroy();
  }

  get misbehaving(): boolean {
    return this.script.length > 0;
  }

  async close(): Promise<void> {
    this.publisher.close();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://publisher');
    const isFacts = url.pathname.endsWith('/facts');
    const [next] = this.script;
    if (next === undefined || url.pathname.endsWith('/join')) return this.serve(request, response);
    if (!isFacts) {
      response.writeHead(500).end('oops');
      return;
    }
    this.script.shift();
    const { misbehaviour, emptyList } = next;
    switch (misbehaviour.type) {
      case 'status':
        response.writeHead(misbehaviour.status, { location: '/elsewhere' }).end(misbehaviour.body);
        return;
      case 'silence':
        if (misbehaviour.headers) response.writeHead(200).flushHeaders();
        return;
      case 'reset':
        request.socket.resetAndDestroy();
        return;
      case 'lines': {
        const { searchParams } = url;
        const after = Number(searchParams.get('after') ?? 0);
        const lines = emptyLists(after, searchParams.get('digest') ?? '')[emptyList ?? 0] ?? misbehaviour.lines;
        response.writeHead(200).end(lines.map((line) => `${line}\n`).join(''));
        return;
      }
      case 'half': {
        let left = misbehaviour.characters;
        return this.serve(
          request,
          alter(response, (line) => {
            const told = line.slice(0, left);
            left -= told.length;
            return { told, last: left === 0 };
          }),
        );
      }
      case 'renamed': {
        const { field, to } = misbehaviour;
        return this.serve(
          request,
          alter(response, (line) => ({ told: line.replaceAll(`"${field}":`, `"${to}":`), last: false })),
        );
      }
      case 'gaps': {
        let lines = 0;
        return this.serve(
          request,
          alter(response, (line) => ({ told: ++lines % misbehaviour.every === 0 ? '' : line, last: false })),
        );
      }
    }
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.streams.add(response);
    response.on('close', () => this.streams.delete(response));
    const handled = await cascadeHttpHandler(this.publisher, { logger: silentLogger })(request, response);
    if (!handled) response.writeHead(404).end();
  }
}

type Alteration = (line: string) => { readonly told: string; readonly last: boolean };

/** The same response, each of its lines as altered. */
function alter(response: ServerResponse, alteration: Alteration): ServerResponse {
  const write = response.write.bind(response) as (text: string) => boolean;
  let written = 0;
  response.write = ((line: string): boolean => {
    const { told, last } = alteration(line);
    written += line.length;
    const taken = told === '' || write(told);
    if (last || written > LONGEST_TEXT) response.end();
    return taken;
  }) as typeof response.write;
  return response;
}
