export { capture, type Capture, type CapturedFrame, type FramePredicate, inject } from './capture';
export { type Claim, claimFolder } from './claim';
export { createLab, type HostName, type InstanceOptions, type Lab, type LabInstance, type LabOptions } from './lab';
export type { LabHost } from './host';
export { ovsAppctl, ovsOfctl, ovsVsctl } from './ovs';
export { ping, type PingOptions, type PingReport } from './ping';
export { type LabSite, planLab, type PlannedHost, twoSites } from './plan';
export { CommandFailed, run, type RunOptions, type RunResult } from './run';
export { destroyLeftovers, destroyLeftoversUnder } from './tear-down';
export {
  type ProbeEnd,
  startUdpProbe,
  type UdpProbe,
  type UdpProbeOptions,
  type UdpProbeReport,
  VoidRun,
} from './udp-probe';
export { DeadlinePassed, waitFor, type WaitOptions } from './wait-for';
