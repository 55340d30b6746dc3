// The state of the fleet in one sentence, and what else the reader should know in a second. Pure.

import { fleetHolds } from "./holds.js";
import { clusterShares } from "./shares.js";
import { capital, count, list, plural } from "./words.js";

/** `{level, text, detail}`; level is one of ok, warn, bad, back, unknown. */
export function sentence(doc) {
  return { ...traffic(doc), detail: details(doc).join(" · ") };
}

function traffic(doc) {
  const { clusters } = doc;
  const n = clusters.length;
  const named = (verdict, path = "traffic") => clusters.filter((c) => c[path].verdict === verdict).map((c) => c.name);
  const [down, suspect, back, unknown] = ["Down", "Suspect", "Recovering", "Unknown"].map((v) => named(v));
  const panic = doc.fleet.panic || doc.names.some((name) => name.servers.some((s) => s.panic));
  const all = n === 1 ? "The one cluster" : n === 2 ? "Both clusters" : `All ${count(n)} clusters`;

  if (n === 0) return { level: "unknown", text: "No cluster has joined this fleet yet." };
  if (down.length === n) return { level: "bad", text: `${all} ${is(n)} down. DNS keeps giving the last good answers.` };
  if (panic) return { level: "bad", text: "PANIC: no survivor is positively healthy. DNS keeps giving the last good answers." };
  if (down.length) return { level: "bad", text: `${list(down)} ${is(down.length)} down; ${whereUsersAre(doc, down)}.` };
  if (unknown.length === n && clusters.some((c) => c.traffic.frozen && c.traffic.lastVerdict !== "Unknown"))
    return { level: "unknown", text: "Too few observers are heard for a verdict on any cluster; answers stay as they are." };
  if (unknown.length === n) return { level: "unknown", text: "No verdict on any cluster yet: waiting for the observers." };
  if (suspect.length) return { level: "warn", text: `${list(suspect)} misses probes; answers stay as they are until the observers agree.` };
  const held = clusters.filter((c) => c.traffic.suppressed).map((c) => c.name);
  if (held.length) return { level: "warn", text: `Users of ${list(held)} are sent elsewhere for now.` };
  if (back.length) return { level: "back", text: `${list(back)} ${is(back.length)} coming back; traffic returns step by step.` };
  if (unknown.length) return { level: "unknown", text: `No verdict on ${list(unknown)}; answers stay as they are.` };

  const mute = [...named("Down", "control"), ...named("Suspect", "control")];
  if (mute.length) return { level: "warn", text: `${all} serve${n === 1 ? "s" : ""}; the API of ${list(mute)} does not answer.` };
  return { level: "ok", text: `${all} serve${n === 1 ? "s" : ""}.` };
}

function whereUsersAre(doc, down) {
  const shares = clusterShares(doc.names);
  const on = doc.clusters.map((c) => c.name).filter((name) => (shares.get(name) ?? 0) > 0.004);
  if (on.some((name) => down.includes(name))) return "DNS is moving its users";
  if (on.length > 2 && on.length === doc.clusters.length - down.length) return `users are on the other ${count(on.length)}`;
  return on.length ? `users are on ${list(on)}` : "no name has answers to move";
}

function details(doc) {
  const { fleet, clusters, bindings } = doc;
  const said = clusters.length ? [] : ["Apply a Cluster object to register one"];
  if (fleet.freeze) said.push("FREEZE: too many clusters look down, nothing is evicted");
  said.push(...fleetHolds(doc));
  if (fleet.controller === "down") said.push("The controller is down; DNS steers without it");
  const frozen = clusters.filter((c) => c.control.verdict === "Down" && c.traffic.verdict !== "Down").map((c) => c.name);
  if (frozen.length) said.push(`${list(frozen)} ${is(frozen.length)} frozen: no placement, no eviction`);
  const held = clusters.filter((c) => c.traffic.suppressed).map((c) => c.name);
  if (held.length) said.push(`${list(held)} flapped and ${is(held.length)} held back`);
  const leaving = new Set(bindings.flatMap((b) => b.evicting.map((e) => e.cluster)));
  if (leaving.size) said.push(`Replicas are leaving ${list([...leaving].sort())}`);
  const stuck = bindings.filter((b) => !b.scheduled).map((b) => b.template || b.name);
  if (stuck.length) said.push(`${capital(list(stuck))} cannot be placed`);
  const [want, ready] = [sum(bindings, "replicas"), sum(bindings, "ready")];
  const stale = sum(bindings.flatMap((b) => b.clusters.filter((c) => c.stale)), "ready");
  const known = stale ? `, ${stale} of them as last known` : "";
  if (bindings.length) said.push((ready >= want ? `${plural(want, "replica")} ready` : `${ready} of ${want} replicas ready`) + known);
  return said;
}

function is(n) {
  return n === 1 ? "is" : "are";
}

function sum(items, field) {
  return items.reduce((total, item) => total + item[field], 0);
}
