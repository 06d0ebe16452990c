// The machines of the fake: edges, a control node, and two relays of which one is away.

import type { World } from "./world";

export function machines(world: World) {
  return {
    edges: world.edges.map((e) => node(world, e)),
    control: [{ name: "control1", version: "v1.0.0", position: world.seq, ready: true, problem: "", leads: true }],
    relays: [
      { name: "relay1", version: "v1.0.0", address: "10.0.0.21:4445", ready: true, edges: 3, connections: 3, position: world.seq },
      { name: "relay2", version: "", address: "", ready: false, edges: 0, connections: 0, position: 0 },
    ],
    doubt: world.doubt,
  };
}

function node(world: World, e: World["edges"][number]) {
  const objects = [...world.distributions.values()].flatMap((d) => d.objects).filter((o) => o.stored.has(e.edge));
  const down = world.stopped.has(e.edge);
  return {
    edge: e.edge,
    location: e.location,
    url: e.url,
    joined: new Date(Date.now() - 86_400_000).toISOString(),
    applied: down ? world.seq - 3 : world.seq,
    behind: down ? 3 : 0,
    heard: new Date(Date.now() - (down ? 42_000 : 900)).toISOString(),
    lease: down ? ("expired" as const) : ("fresh" as const),
    leaseAgeMs: down ? 42_000 : 900,
    cache: { objects: objects.length, bytes: objects.reduce((n, o) => n + o.bytes, 0), capacity: 256 << 20, evictions: 0 },
    originsDown: down ? [{ address: "shop.example.com:443", since: new Date(Date.now() - 30_000).toISOString(), failure: "ConnectTimeout" }] : [],
    ready: !down,
    version: down ? "" : "v1.0.0",
    hitRatio: down ? null : 0.97,
  };
}
