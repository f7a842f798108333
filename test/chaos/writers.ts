import type { Random } from '@weir/kernel';
import { type ApiClient, ApiRefused } from '@weir/lab/deployment';

type Kind = 'network' | 'subnet' | 'port' | 'server';
type Body = Readonly<Record<string, unknown>>;

/** A thing whose creation was answered with 2xx. */
interface Made {
  readonly kind: Kind;
  readonly answer: Body;
  /** `unknown`: its deletion was asked for, and the answer never came. */
  fate: 'kept' | 'deleted' | 'unknown';
}

export interface Ground {
  readonly id: string;
  readonly subnet: string;
}

const COLLECTIONS: Readonly<Record<Kind, string>> = {
  network: '/network/v2.0/networks',
  subnet: '/network/v2.0/subnets',
  port: '/network/v2.0/ports',
  server: '/compute/v2.1/servers',
};
/** What no later event may alter of what was answered. */
const LASTING = ['id', 'name', 'project_id', 'network_id', 'cidr', 'gateway_ip', 'mac_address', 'fixed_ips'];
const TENANT = 'weir-demo';
const IMAGE = '5a1f0000-0000-4000-8000-000000000001';
const TINY = '1';
/** Names that writers give, each once. */
const WRITTEN = /^w\d+-\d+$/;
/** Answers behind which a write may stand: where they are not allowed, they are faults in any case. */
const UNCERTAIN = [404, 500, 503];
const TRIES = 3;
const NOT_FOUND = 404;
const CONFLICT = 409;

interface Own {
  readonly number: number;
  readonly networks: string[];
  readonly things: string[];
  made: number;
}

/** Tenants who create and delete at the same time, over HTTP, and remember every answer. */
export class Writers {
  /** By id. */
  readonly made = new Map<string, Made>();
  /** Answers that nobody may get, whatever was killed. */
  readonly unexpected: string[] = [];
  acknowledged = 0;
  refused = 0;
  unanswered = 0;
  tolerated = 0;
  /** Asked again, since no answer came. */
  repeated = 0;
  private keys = 0;
  private stopping = false;
  private running: readonly Promise<void>[] = [];

  constructor(
    private readonly api: ApiClient,
    private readonly random: Random,
    /** Networks that all of them share. */
    private readonly grounds: readonly Ground[],
    /** Where their servers go. */
    private readonly zone: string,
    /** Resolves when a request has a chance. */
    private readonly up: () => Promise<void>,
    /** Statuses that any write may be answered with; `tolerated` counts them. */
    private readonly allowed: readonly number[] = [],
  ) {}

  start(count: number): void {
    this.running = Array.from({ length: count }, async (_, number) => {
      const own: Own = { number, networks: [], things: [], made: 0 };
      while (!this.stopping) {
        await this.up();
        await this.step(own);
      }
    });
  }

  /** Resolves when no request is under way. */
  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.running);
  }

  /** Compares what was answered with what there is. */
  async lost(): Promise<readonly string[]> {
    const faults: string[] = [];
    for (const kind of Object.keys(COLLECTIONS) as Kind[]) {
      const path = kind === 'server' ? `${COLLECTIONS.server}/detail` : COLLECTIONS[kind];
      const listed = await this.api.request<Readonly<Record<string, readonly Body[]>>>('GET', path, undefined, TENANT);
      const present = new Map(listed[`${kind}s`]?.map((body) => [body['id'] as string, body]));
      const names = listed[`${kind}s`]?.map(({ name }) => name as string).filter((name) => WRITTEN.test(name)) ?? [];
      const twice = names.filter((name, index) => names.indexOf(name) !== index);
      faults.push(...twice.map((name) => `${kind} ${name} was made twice`));
      for (const [id, made] of this.made) {
        if (made.kind !== kind) continue;
        const body = present.get(id);
        if (made.fate === 'kept' && body === undefined) faults.push(`${kind} ${id} was acknowledged and is not there`);
        if (made.fate === 'deleted' && body !== undefined) faults.push(`${kind} ${id} was deleted and is there`);
        if (body === undefined) continue;
        const altered = LASTING.filter(
          (field) => field in made.answer && JSON.stringify(made.answer[field]) !== JSON.stringify(body[field]),
        );
        if (altered.length > 0) faults.push(`${kind} ${id} has another ${altered.join(', ')} than was answered`);
      }
    }
    return faults;
  }

  private async step(own: Own): Promise<void> {
    const dice = this.random.integer(100);
    const name = `w${own.number}-${own.made++}`;
    if (dice < 15) return this.createNetwork(own, name);
    if (dice < 30) return this.createSubnet(own, name);
    if (dice < 65) return this.createPort(own, name);
    if (dice < 75) return this.createServer(own, name);
    return this.deleteOne(own);
  }

  private async createNetwork(own: Own, name: string): Promise<void> {
    const id = await this.create('network', { name });
    if (id === undefined) return;
    own.networks.push(id);
    own.things.push(id);
  }

  private async createSubnet(own: Own, name: string): Promise<void> {
    const network = this.pick(own.networks);
    if (network === undefined) return;
    const cidr = `${10 + (own.made >> 8)}.${own.number}.${own.made % 256}.0/24`;
    await this.create('subnet', { name, network_id: network, ip_version: 4, cidr });
  }

  private async createPort(own: Own, name: string): Promise<void> {
    const network = this.random.integer(4) === 0 ? this.pick(own.networks) : this.pick(this.grounds)?.id;
    if (network === undefined) return;
    const id = await this.create('port', { name, network_id: network });
    if (id !== undefined) own.things.push(id);
  }

  private async createServer(own: Own, name: string): Promise<void> {
    const ground = this.pick(this.grounds);
    const networks = [{ uuid: ground?.id }];
    const asked = { name, flavorRef: TINY, imageRef: IMAGE, availability_zone: this.zone, networks };
    const id = await this.create('server', asked);
    if (id !== undefined) own.things.push(id);
  }

  private async create(kind: Kind, asked: Body): Promise<string | undefined> {
    try {
      const answer = (await this.posted(COLLECTIONS[kind], { [kind]: asked }))[kind];
      const id = answer?.['id'] as string;
      this.acknowledged++;
      this.made.set(id, { kind, answer: { ...asked, ...answer }, fate: 'kept' });
      return id;
    } catch (error) {
      // Its network may be on its way out, its subnet or the zone full.
      this.note(`creating a ${kind}`, error, [NOT_FOUND, CONFLICT]);
      return undefined;
    }
  }

  /** Every other one under a key, by which what was not answered is asked again: it must not be made twice. */
  private async posted(path: string, body: Body): Promise<Readonly<Record<string, Body>>> {
    const isKeyed = this.random.integer(2) === 0;
    const headers = isKeyed ? { 'idempotency-key': `writer-${this.keys++}` } : {};
    for (let tries = 1; ; tries++) {
      try {
        return await this.api.request<Readonly<Record<string, Body>>>('POST', path, body, TENANT, headers);
      } catch (error) {
        if (!isKeyed || error instanceof ApiRefused || tries >= TRIES || this.stopping) throw error;
        this.repeated++;
        await this.up();
      }
    }
  }

  private async deleteOne(own: Own): Promise<void> {
    const id = this.pick(own.things);
    const made = id === undefined ? undefined : this.made.get(id);
    if (id === undefined || made === undefined) return;
    own.things.splice(own.things.indexOf(id), 1);
    if (made.kind === 'network') own.networks.splice(own.networks.indexOf(id), 1);
    // A network takes its subnets with it, and is not deleted while it has ports.
    const subnets = [...this.made.values()].filter(
      ({ kind, answer }) => kind === 'subnet' && answer['network_id'] === id,
    );
    const going = [made, ...subnets].filter(({ fate }) => fate === 'kept');
    for (const each of going) each.fate = 'unknown';
    try {
      await this.api.request('DELETE', `${COLLECTIONS[made.kind]}/${id}`, undefined, TENANT);
      this.acknowledged++;
      for (const each of going) each.fate = 'deleted';
    } catch (error) {
      // A network with ports stays.
      this.note(`deleting ${made.kind} ${id}`, error, made.kind === 'network' ? [CONFLICT] : []);
      // A store that fails behind its commit has done what it says it could not.
      const isUnknown = !(error instanceof ApiRefused) || UNCERTAIN.includes(error.status);
      if (!isUnknown) for (const each of going) each.fate = 'kept';
    }
  }

  private note(what: string, error: unknown, allowed: readonly number[]): void {
    if (!(error instanceof ApiRefused)) this.unanswered++;
    else if (allowed.includes(error.status)) this.refused++;
    else if (this.allowed.includes(error.status)) this.tolerated++;
    else this.unexpected.push(`${what}: ${error.message}`);
  }

  private pick<T>(choices: readonly T[]): T | undefined {
    return choices.length === 0 ? undefined : choices[this.random.integer(choices.length)];
  }
}
