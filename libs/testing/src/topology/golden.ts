import { buildTopology, type Topology } from './plan';

const on = (host: number) => ({ host, up: true, secure: true });

/** The worlds whose flows are kept as golden files, by the file's name. */
export const goldenTopologies: { readonly [name: string]: Topology } = {
  'one-host': buildTopology({
    hosts: 1,
    projects: [{ networks: [{ dhcp: true, ports: [on(0), on(0)] }], routers: [] }],
  }),
  'two-hosts': buildTopology({
    hosts: 2,
    projects: [{ networks: [{ dhcp: true, ports: [on(0), on(1)] }], routers: [] }],
  }),
  routed: buildTopology({
    hosts: 2,
    projects: [
      {
        networks: [
          { dhcp: true, ports: [on(0)] },
          { dhcp: true, ports: [on(1)] },
        ],
        routers: [{ up: true, networks: [0, 1] }],
      },
    ],
  }),
  'two-projects-alike': buildTopology({
    hosts: 2,
    projects: [
      { networks: [{ dhcp: true, ports: [on(0), on(1)] }], routers: [{ up: true, networks: [0] }] },
      { networks: [{ dhcp: true, ports: [on(0), on(1)] }], routers: [{ up: true, networks: [0] }] },
    ],
  }),
  'without-dhcp': buildTopology({
    hosts: 1,
    projects: [{ networks: [{ dhcp: false, ports: [on(0), on(0)] }], routers: [] }],
  }),
  'without-port-security': buildTopology({
    hosts: 2,
    projects: [{ networks: [{ dhcp: true, ports: [{ ...on(0), secure: false }, on(1)] }], routers: [] }],
  }),
  'isolated-networks': buildTopology({
    hosts: 1,
    projects: [
      {
        networks: [
          { dhcp: true, ports: [on(0)] },
          { dhcp: true, ports: [on(0)] },
        ],
        routers: [],
      },
    ],
  }),
};
