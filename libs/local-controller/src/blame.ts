import type { SliceStore } from '@weir/cascade';
import type { Compiler, Owner } from '@weir/pipeline';
import { type FactKind, type HostBlame, MAX_BLAMED_FACTS } from '@weir/topology';

interface Key {
  readonly kind: FactKind;
  readonly id: string;
}

/** From a flow's cookie to the resource that it is there for, and to the facts that say so. */
export function blame(compiler: Compiler, slice: SliceStore, cookie: bigint): HostBlame {
  const owner = compiler.ownerOf(cookie);
  if (!owner) return { owner: null, flows: 0, facts: [] };
  const facts = [...factsOf(owner, compiler.slice)].flatMap(({ kind, id }) => {
    const fact = slice.get(kind, id);
    return fact ? [{ kind, id, position: fact.position }] : [];
  });
  return { owner, flows: compiler.flowsOf(owner).length, facts: facts.slice(0, MAX_BLAMED_FACTS) };
}

function* factsOf({ kind, id }: Owner, slice: Compiler['slice']): Generator<Key> {
  switch (kind) {
    case 'pipeline':
      return;
    case 'peer':
      for (const port of slice.ids('binding'))
        if (slice.get('binding', port)?.endpoint === id) yield { kind: 'binding', id: port };
      return;
    case 'network':
      yield { kind, id };
      return;
    case 'subnet': {
      yield { kind, id };
      const network = slice.get(kind, id)?.network;
      if (network !== undefined) yield { kind: 'network', id: network };
      return;
    }
    case 'router':
      yield { kind, id };
      for (const link of slice.interfacesOfRouter.of(id)) yield { kind: 'router-interface', id: link };
      return;
    case 'router-interface': {
      yield { kind, id };
      const link = slice.get(kind, id);
      if (!link) return;
      yield { kind: 'router', id: link.router };
      yield { kind: 'network', id: link.network };
      yield { kind: 'subnet', id: link.subnet };
      return;
    }
    case 'port': {
      yield { kind, id };
      const port = slice.get(kind, id);
      if (!port) return;
      yield { kind: 'server', id: port.server };
      yield { kind: 'binding', id };
      yield { kind: 'network', id: port.network };
      for (const { subnet } of port.fixedIps) yield { kind: 'subnet', id: subnet };
      return;
    }
  }
}
