import { type AuthRequest, DEFAULT_DOMAIN, type TokenFacts } from '@weir/openstack-api/identity';
import { type Clock, invalid, type ProjectId, type Random, type UserId, WeirError } from '@weir/kernel';
import type { IdentityStore, Project, User } from './identity-store';
import { SteadyClock } from './steady-clock';
import { TOKEN_LIFETIME_MS, type TokenPayload, Tokens } from './tokens';

/** Who asks, as far as policies need it. */
export interface Caller {
  readonly userId: UserId;
  readonly userName: string;
  readonly projectId: ProjectId | undefined;
  readonly system: boolean;
  readonly roles: ReadonlySet<string>;
}

/** The admin of the bootstrap may see and do everything; Keystone's finer policies come with its service. */
export function isAdmin(caller: Caller): boolean {
  return caller.roles.has('admin');
}

export class Unauthorized extends WeirError {
  constructor(message = 'The request you have made requires authentication.') {
    super('unauthorized', message);
  }
}

/** Logs in and checks tokens (Keystone v3). */
export class Authentication {
  private readonly tokens: Tokens;
  private readonly clock: Clock;

  constructor(
    private readonly identities: IdentityStore,
    clock: Clock,
    private readonly random: Random,
  ) {
    this.clock = new SteadyClock(clock);
    this.tokens = new Tokens(identities.tokenKeys, this.clock, random);
  }

  async logIn(request: AuthRequest): Promise<{ readonly token: string; readonly facts: TokenFacts }> {
    const { identity, scope } = request.auth;
    const previous = identity.methods.includes('token') ? this.previous(identity.token?.id) : undefined;
    const user = previous ? this.identities.user(previous.user) : await this.byPassword(identity.password);
    if (!user) throw new Unauthorized();
    const scoped = this.scope(user, scope);
    const now = this.clock.now();
    const auditId = Buffer.from(this.random.bytes(16)).toString('base64url');
    const payload: TokenPayload = {
      user: user.id,
      methods: [...new Set([...identity.methods, ...(previous?.methods ?? [])])],
      system: scoped.system,
      ...(scoped.project ? { project: scoped.project.id } : {}),
      issuedAt: now,
      // A token made from a token does not outlive it.
      expiresAt: previous?.expiresAt ?? now + TOKEN_LIFETIME_MS,
      auditIds: previous ? [auditId, ...previous.auditIds.slice(-1)] : [auditId],
    };
    const facts = this.facts(payload);
    if (!facts) throw new Unauthorized();
    return { token: this.tokens.seal(payload), facts };
  }

  /** What a valid token says now; undefined for any other. */
  validate(token: string): TokenFacts | undefined {
    const payload = this.tokens.open(token);
    return payload && this.facts(payload);
  }

  /** The caller behind a request's token; throws Unauthorized. */
  caller(token: string | undefined): Caller {
    const facts = token === undefined ? undefined : this.validate(token);
    if (!facts) throw new Unauthorized();
    return {
      userId: facts.user.id as UserId,
      userName: facts.user.name,
      projectId: facts.project?.id as ProjectId | undefined,
      system: facts.system,
      roles: new Set(facts.roles.map((role) => role.name)),
    };
  }

  private previous(token: string | undefined): TokenPayload {
    const payload = token === undefined ? undefined : this.tokens.open(token);
    if (!payload) throw new Unauthorized();
    return payload;
  }

  private async byPassword(password: AuthRequest['auth']['identity']['password']): Promise<User | undefined> {
    if (!password) throw invalid("The method 'password' needs identity.password.user.");
    const { id, name, domain, password: text } = password.user;
    const inDomain = id !== undefined || isDefault(domain);
    const user = !inDomain
      ? undefined
      : id === undefined
        ? this.identities.userNamed(name ?? '')
        : this.identities.user(id);
    return (await this.identities.passwordFits(user, text)) ? user : undefined;
  }

  private scope(
    user: User,
    scope: AuthRequest['auth']['scope'],
  ): { readonly project: Project | undefined; readonly system: boolean } {
    if (scope === undefined || scope === 'unscoped') return { project: undefined, system: false };
    if ('system' in scope) {
      if (this.identities.roles(user.id, undefined).length === 0) throw new Unauthorized();
      return { project: undefined, system: true };
    }
    if ('domain' in scope) throw new Unauthorized();
    const { id, name, domain } = scope.project;
    const project =
      id === undefined
        ? isDefault(domain)
          ? this.identities.projectNamed(name ?? '')
          : undefined
        : this.identities.project(id);
    if (!project || this.identities.roles(user.id, project.id).length === 0) throw new Unauthorized();
    return { project, system: false };
  }

  /** Roles are read now, not when the token was made; a token whose scope holds no role any more is no token. */
  private facts(payload: TokenPayload): TokenFacts | undefined {
    const user = this.identities.user(payload.user);
    if (!user) return undefined;
    const project = payload.project === undefined ? undefined : this.identities.project(payload.project);
    const scoped = payload.project !== undefined || payload.system;
    const roles = scoped ? this.identities.roles(user.id, payload.project) : [];
    if (scoped && roles.length === 0) return undefined;
    return {
      user: { id: user.id, name: user.name },
      project,
      system: payload.system,
      roles: roles.map(({ id, name }) => ({ id, name })),
      methods: payload.methods,
      issuedAt: new Date(payload.issuedAt).toISOString(),
      expiresAt: new Date(payload.expiresAt).toISOString(),
      auditIds: payload.auditIds,
    };
  }
}

function isDefault(
  domain: { readonly id?: string | undefined; readonly name?: string | undefined } | undefined,
): boolean {
  return domain?.id === DEFAULT_DOMAIN.id || domain?.name === DEFAULT_DOMAIN.name;
}
