export { ApiClient, ApiRefused, type Method } from './api-client';
export {
  type DeployedSite,
  type Deployment,
  type DeploymentOptions,
  parisAndTokyo,
  type Programs,
  type SiteStatus,
  startDeployment,
} from './deployment';
export type { DeployedProcess } from './deployed-process';
export type { Sample } from './metrics';
export type { ExecResult, Instance, Named, Server, ServerRequest, Tenant } from './tenant';
