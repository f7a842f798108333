import { Body, Controller, Get, Headers, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { DescribedBody } from '../http/documentation';
import type { FastifyReply } from 'fastify';
import { notFound } from '@weir/kernel';
import { one, parseBody, type RawQuery } from '@weir/openstack-api';
import {
  authSchema,
  catalogView,
  DEFAULT_DOMAIN,
  projectView,
  tokenView,
  userView,
  versionView,
} from '@weir/openstack-api/identity';
import { Address, Asker, PresentOnly, Public } from '../http/request';
import { Authentication, type Caller, isAdmin } from './authentication';
import { IdentityStore } from './identity-store';

/** Keystone v3: what clients need to log in and find the services. */
@ApiTags('identity')
@Controller('identity')
@PresentOnly()
export class IdentityController {
  constructor(
    private readonly authentication: Authentication,
    private readonly identities: IdentityStore,
  ) {}

  @Public()
  @Get()
  @HttpCode(300)
  versions(@Address() address: string) {
    return { versions: { values: [versionView(address)] } };
  }

  @Public()
  @Get('v3')
  version(@Address() address: string) {
    return { version: versionView(address) };
  }

  @Public()
  @Post('v3/auth/tokens')
  @DescribedBody(authSchema)
  @HttpCode(201)
  async logIn(@Body() body: unknown, @Address() address: string, @Res({ passthrough: true }) reply: FastifyReply) {
    const { token, facts } = await this.authentication.logIn(parseBody(authSchema, body));
    void reply.header('x-subject-token', token).header('vary', 'X-Auth-Token');
    return tokenView(facts, address);
  }

  @Get('v3/auth/tokens')
  show(
    @Headers('x-subject-token') subject: string | undefined,
    @Address() address: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const facts = subject === undefined ? undefined : this.authentication.validate(subject);
    if (!facts || subject === undefined) throw notFound('This is not a recognized token.');
    void reply.header('x-subject-token', subject);
    return tokenView(facts, address);
  }

  @Get('v3/auth/catalog')
  catalog(@Address() address: string) {
    return { catalog: catalogView(address), links: { self: `${address}/identity/v3/auth/catalog` } };
  }

  @Get('v3/auth/projects')
  ownProjects(@Asker() caller: Caller, @Address() address: string) {
    return {
      projects: this.identities.projectsOf(caller.userId).map((project) => projectView(project, address)),
      links: links(address, 'auth/projects'),
    };
  }

  @Get('v3/projects')
  projects(@Asker() caller: Caller, @Query() query: RawQuery, @Address() address: string) {
    const name = one(query['name']);
    const visible = this.visibleProjects(caller).filter((project) => name === undefined || project.name === name);
    return { projects: visible.map((project) => projectView(project, address)), links: links(address, 'projects') };
  }

  @Get('v3/projects/:id')
  project(@Asker() caller: Caller, @Param('id') id: string, @Address() address: string) {
    const project = this.visibleProjects(caller).find((candidate) => candidate.id === id);
    if (!project) throw notFound(`Could not find project: ${id.slice(0, 64)}.`);
    return { project: projectView(project, address) };
  }

  @Get('v3/users')
  users(@Asker() caller: Caller, @Query() query: RawQuery, @Address() address: string) {
    const name = one(query['name']);
    const visible = this.identities.users.filter(
      (user) => (isAdmin(caller) || user.id === caller.userId) && (name === undefined || user.name === name),
    );
    return { users: visible.map((user) => userView(user, address)), links: links(address, 'users') };
  }

  @Get('v3/users/:id')
  user(@Asker() caller: Caller, @Param('id') id: string, @Address() address: string) {
    const user = isAdmin(caller) || id === caller.userId ? this.identities.user(id) : undefined;
    if (!user) throw notFound(`Could not find user: ${id.slice(0, 64)}.`);
    return { user: userView(user, address) };
  }

  @Get('v3/domains/:id')
  domain(@Param('id') id: string) {
    if (id !== DEFAULT_DOMAIN.id) throw notFound(`Could not find domain: ${id.slice(0, 64)}.`);
    return { domain: { ...DEFAULT_DOMAIN, enabled: true, description: '' } };
  }

  private visibleProjects(caller: Caller) {
    return isAdmin(caller) ? this.identities.projects : this.identities.projectsOf(caller.userId);
  }
}

function links(address: string, path: string) {
  return { self: `${address}/identity/v3/${path}`, previous: null, next: null };
}
