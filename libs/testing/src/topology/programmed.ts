import { Compiler, type EnvironmentChange, KeyAllocator, type Plan } from '@weir/pipeline';
import { Fabric, SwitchModel } from '@weir/pipeline/interpreter';
import type { FactChange } from '@weir/topology';
import { factsAt, type Topology, type TopologyHost, type TopologyPort } from './plan';

export const TUNNEL_PORT = 1;
export const FIRST_OFPORT = 10;

/** The ofport of a port on its host, equal in every run. */
export function ofportOf(topology: Topology, port: TopologyPort): number {
  return FIRST_OFPORT + topology.ports.filter(({ host }) => host === port.host).indexOf(port);
}

/** What a host learns of itself: its tunnel port and the ofports of its ports. */
export function environmentAt(topology: Topology, host: TopologyHost): EnvironmentChange[] {
  return [
    { type: 'tunnel', port: TUNNEL_PORT, address: host.endpoint },
    ...topology.ports
      .filter((port) => port.host === host)
      .map((port): EnvironmentChange => ({
        type: 'local-port',
        port: port.fact.id,
        ofport: ofportOf(topology, port),
      })),
  ];
}

/** A compiler that was given a host's facts and everything that the host allots and learns. */
export function compilerAt(
  topology: Topology,
  host: TopologyHost,
  facts: readonly FactChange[] = factsAt(topology, host),
): Compiler {
  const compiler = new Compiler();
  compiler.apply(facts, [...new KeyAllocator().follow(facts).changes, ...environmentAt(topology, host)]);
  return compiler;
}

/** The whole topology as switches that run what the compiler made of it; `alter` may break each host's plan first. */
export function fabricOf(topology: Topology, alter: (plan: Plan) => Plan = (plan) => plan): Fabric {
  return new Fabric(
    topology.hosts.map((host) => {
      const plan = alter(compilerAt(topology, host).plan());
      const here = topology.ports.filter((port) => port.host === host);
      const ports = [
        { number: TUNNEL_PORT, tunnel: true },
        ...here.map((port) => ({ number: ofportOf(topology, port) })),
      ];
      return {
        name: host.name,
        endpoint: host.endpoint,
        tunnelPort: TUNNEL_PORT,
        switch: new SwitchModel({ ...plan, ports }),
      };
    }),
  );
}
