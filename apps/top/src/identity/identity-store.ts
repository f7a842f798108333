import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { hash, verify } from '@node-rs/argon2';
import { z } from 'zod';
import type { Random } from '@weir/kernel';
import type { TokenKey } from './tokens';

const user = z.object({ id: z.string(), name: z.string(), passwordHash: z.string() });
const project = z.object({ id: z.string(), name: z.string() });
const role = z.object({ id: z.string(), name: z.enum(['admin', 'member', 'reader']) });
/** On a project, or on the whole system where `project` is absent. */
const assignment = z.object({ user: z.string(), project: z.string().optional(), role: z.string() });
const identity = z.object({
  users: z.array(user),
  projects: z.array(project),
  roles: z.array(role),
  assignments: z.array(assignment),
  tokenKeys: z.array(z.object({ id: z.string(), secret: z.string() })),
});
type Identity = z.output<typeof identity>;

export type User = z.output<typeof user>;
export type Project = z.output<typeof project>;
export type Role = z.output<typeof role>;

/** Argon2id, OWASP's first recommendation: 19 MiB, two passes. */
const HASHING = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** Who may ask: users, projects and roles, in a file of mode 0600 apart from the log, since the log never holds a secret. */
export class IdentityStore {
  /** Verified against when the user is unknown, so that the answer takes as long. */
  private constructor(
    private readonly identity: Identity,
    private readonly decoy: string,
  ) {}

  /**
   * Opens `file`; at the first start it makes the bootstrap admin and the demo project with random passwords,
   * and tells them by `firstPasswords`, once.
   */
  static async open(
    file: string,
    random: Random,
    firstPasswords: (passwords: { admin: string; demo: string }) => void,
  ): Promise<IdentityStore> {
    const decoy = await hash(secret(random), HASHING);
    if (existsSync(file)) return new IdentityStore(identity.parse(JSON.parse(readFileSync(file, 'utf8'))), decoy);
    const passwords = { admin: secret(random), demo: secret(random) };
    const users = {
      admin: { id: random.uuid(), name: 'admin', passwordHash: await hash(passwords.admin, HASHING) },
      demo: { id: random.uuid(), name: 'demo', passwordHash: await hash(passwords.demo, HASHING) },
    };
    const projects = { admin: { id: random.uuid(), name: 'admin' }, demo: { id: random.uuid(), name: 'demo' } };
    const roles = {
      admin: { id: random.uuid(), name: 'admin' as const },
      member: { id: random.uuid(), name: 'member' as const },
      reader: { id: random.uuid(), name: 'reader' as const },
    };
    const made: Identity = {
      users: Object.values(users),
      projects: Object.values(projects),
      roles: Object.values(roles),
      assignments: [
        { user: users.admin.id, role: roles.admin.id },
        { user: users.admin.id, project: projects.admin.id, role: roles.admin.id },
        { user: users.admin.id, project: projects.demo.id, role: roles.admin.id },
        { user: users.demo.id, project: projects.demo.id, role: roles.member.id },
      ],
      tokenKeys: [{ id: random.uuid().slice(0, 8), secret: secret(random) }],
    };
    // Passwords are told first: a crash between the two leaves a file of passwords that the next start makes anew.
    firstPasswords(passwords);
    writeDurably(file, `${JSON.stringify(made, undefined, 2)}\n`);
    return new IdentityStore(made, decoy);
  }

  get tokenKeys(): readonly TokenKey[] {
    return this.identity.tokenKeys;
  }

  get projects(): readonly Project[] {
    return this.identity.projects;
  }

  user(id: string): User | undefined {
    return this.identity.users.find((candidate) => candidate.id === id);
  }

  userNamed(name: string): User | undefined {
    return this.identity.users.find((candidate) => candidate.name === name);
  }

  project(id: string): Project | undefined {
    return this.identity.projects.find((candidate) => candidate.id === id);
  }

  projectNamed(name: string): Project | undefined {
    return this.identity.projects.find((candidate) => candidate.name === name);
  }

  /** Roles on a project, or on the system where `project` is undefined. */
  roles(userId: string, projectId: string | undefined): readonly Role[] {
    return this.identity.assignments
      .filter((candidate) => candidate.user === userId && candidate.project === projectId)
      .flatMap((candidate) => this.identity.roles.filter((one) => one.id === candidate.role));
  }

  projectsOf(userId: string): readonly Project[] {
    return this.identity.projects.filter((candidate) => this.roles(userId, candidate.id).length > 0);
  }

  get allRoles(): readonly Role[] {
    return this.identity.roles;
  }

  get users(): readonly User[] {
    return this.identity.users;
  }

  /** Takes the same time whether the user exists or not. */
  async passwordFits(candidate: User | undefined, password: string): Promise<boolean> {
    const fits = await verify(candidate?.passwordHash ?? this.decoy, password.normalize('NFKC'));
    return candidate !== undefined && fits;
  }
}

function secret(random: Random): string {
  return Buffer.from(random.bytes(32)).toString('base64url');
}

/** Whole or not at all, readable by its owner only, on disk when it returns. */
export function writeDurably(file: string, text: string): void {
  const temporary = `${file}.new`;
  const handle = openSync(temporary, 'w', 0o600);
  writeSync(handle, text);
  fsyncSync(handle);
  closeSync(handle);
  renameSync(temporary, file);
  const folder = openSync(dirname(file), 'r');
  fsyncSync(folder);
  closeSync(folder);
}
