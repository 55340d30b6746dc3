// Why something is not done, or not yet: what stands in a cluster's column. Pure.

import { coarse, plural } from "./words.js";

const REASONS = {
  HoldTimer: "the hold", Freeze: "FREEZE to end", OperatorHold: "an operator", TrafficPathOnly: "users only, replicas stay",
  ControlPathOnly: "its API", Unknown: "a verdict", Budget: "the eviction budget", Settle: "it to stay up", NoRoomAtHome: "room",
  WaitingForReady: "ready replicas", WaitingForTtl: "old answers to expire", MovementPaused: "clusters of a move",
};

/** `{text, title, bad}` for one cluster: its own holds, those of the bindings it has, and what finds no place. */
export function waiting(doc, cluster) {
  const here = new Set(doc.bindings
    .filter((b) => b.clusters.some((c) => c.name === cluster) || b.evicting.some((e) => e.cluster === cluster))
    .map((b) => (b.namespace ? `${b.namespace}/${b.name}` : b.name)));
  const holds = doc.holds.filter((h) => h.subject === cluster || here.has(h.subject));
  const stuck = doc.noTarget.filter((none) => none.clusters.includes(cluster));
  const said = new Map();
  for (const hold of holds) {
    const left = Math.max(said.get(hold.reason) ?? 0, hold.remainingMs ?? 0);
    said.set(hold.reason, left);
  }
  const words = [...said].map(([reason, left]) => (REASONS[reason] ?? reason) + (left ? `, ${coarse(left)}` : ""));
  if (stuck.length) words.unshift(`${plural(stuck.length, "workload")} with nowhere to go`);
  const titles = [...stuck.map((none) => `${none.binding}: ${none.message}`), ...holds.map((h) => `${h.subject}: ${h.message}`)];
  return { text: words.join("; "), title: titles.join("\n"), bad: stuck.length > 0 };
}

/** What is held for the whole fleet, but FREEZE, which has its own sentence. */
export function fleetHolds(doc) {
  return doc.holds.filter((h) => h.subject === "fleet" && h.reason !== "Freeze").map((h) => h.message);
}
