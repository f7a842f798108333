export { ApiClient, ApiRefused, type Method } from './api-client';
export { type Deployment, type DeploymentOptions, type Programs, startDeployment } from './deployment';
export { type DeployedSite, HOST_TOTALS, parisAndTokyo, Sites, type SiteStatus } from './sites';
export type { DeployedProcess } from './deployed-process';
export type { Sample } from './metrics';
export {
  type ExecResult,
  type Instance,
  type Named,
  type Server,
  type ServerRequest,
  Tenant,
  type Wait,
} from './tenant';
