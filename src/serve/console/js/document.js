// Makes what the server sent safe to draw: every list is a list, so that a missing field empties a panel, not the page.

const PATH = { verdict: "Unknown", sinceMs: null, rttMs: null, suppressed: false };
const VOTES = { clear: 0, suspect: 0, dead: 0, abstain: 0 };

/** The document with defaults for all that may be absent. `users`, `faults` and `standing` stay null outside the demo. */
export function complete(doc) {
  return {
    ...doc,
    upMs: doc.upMs ?? 0,
    fleet: { controller: "unknown", epoch: "–", seq: "–", ...doc.fleet },
    clusters: (doc.clusters ?? []).map(cluster),
    names: (doc.names ?? []).map((n) => ({ ...n, servers: (n.servers ?? []).map((s) => ({ ...s, answers: s.answers ?? [] })) })),
    dns: doc.dns ?? [],
    bindings: (doc.bindings ?? []).map((b) => ({ workload: true, ...b, clusters: b.clusters ?? [], evicting: b.evicting ?? [] })),
    holds: doc.holds ?? [],
    noTarget: (doc.noTarget ?? []).map((none) => ({ ...none, clusters: none.clusters ?? [] })),
    observers: doc.observers ?? [],
    faults: doc.faults?.map((f) => ({ ...f, clusters: f.clusters ?? [] })) ?? null,
    users: doc.users ?? null,
    standing: doc.standing ?? null,
  };
}

function cluster(c) {
  const path = (p) => ({ ...PATH, ...p, votes: { ...VOTES, ...p?.votes } });
  return {
    ...c, traffic: path(c.traffic), control: path(c.control),
    replicas: c.replicas ?? { assigned: 0, ready: 0 },
    zones: c.zones ?? [], vips: c.vips ?? [], conditions: c.conditions ?? [], taints: c.taints ?? [],
  };
}
