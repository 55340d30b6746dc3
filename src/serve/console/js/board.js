// The board: one column a cluster, one row a fact; below them every workload's replicas and the standing plan.

import { byId, el, keyed, set, setSign, sign, style, text } from "./dom.js";
import { waiting } from "./holds.js";
import { clusterShares } from "./shares.js";
import { coarse, number, percent, plural, readiness, verdictSign } from "./words.js";

const MAX_PIPS = 12;

export class Board {
  /** `onPower(cluster, faults)` is the button of a column: cut the power, or end these faults. */
  constructor({ onPower }) {
    this.onPower = onPower;
    this.signature = null;
  }

  update(doc) {
    // Objects without replicas, such as Services, have nothing to count.
    const workloads = doc.bindings.filter((b) => b.workload);
    const signature = JSON.stringify([doc.clusters.map((c) => c.name), workloads.map(bindingKey), Boolean(doc.standing), Boolean(doc.faults)]);
    if (signature !== this.signature) this.build(doc, workloads);
    this.signature = signature;
    const shares = clusterShares(doc.names);
    doc.clusters.forEach((cluster, i) => this.columns[i]?.update(cluster, doc, shares.get(cluster.name) ?? 0));
    workloads.forEach((binding, i) => this.workloads[i]?.update(binding, doc.now));
  }

  build(doc, workloads) {
    const scroll = byId("board-scroll");
    if (!doc.clusters.length) {
      scroll.replaceChildren(el("p", { class: "empty" }, "No cluster has joined. Apply a Cluster object and it has a column here."));
      [this.columns, this.workloads] = [[], []];
      return;
    }
    this.columns = doc.clusters.map((c) => column(c, doc, this.onPower));
    const row = (label, field, tone) => el("tr", { class: tone }, el("th", { scope: "row" }, label), ...this.columns.map((c) => c.cells[field]));
    this.workloads = workloads.map((b) => workload(b, doc.clusters));
    scroll.replaceChildren(el("table", {},
      el("thead", {}, el("tr", {}, el("td"), ...this.columns.map((c) => c.head))),
      el("tbody", {}, row("Traffic", "traffic"), row("API", "control"), row("Share of answers", "share"), row("Capacity used", "capacity"), row("Waits for", "holds")),
      el("tbody", { class: "workloads" }, ...this.workloads.map((w) => w.node),
        ...(workloads.length ? [] : [el("tr", {}, el("th", { scope: "row" }, "Workloads"), el("td", { colspan: doc.clusters.length, class: "empty" }, "None placed yet: apply a Deployment and a PropagationPolicy."))])),
      el("tbody", {}, ...(doc.standing ? [row("If lost now", "standing")] : []), ...(doc.faults ? [row("Fault", "power")] : []))));
  }
}

function bindingKey(b) {
  return `${b.namespace}/${b.kind}/${b.name}`;
}

function column(cluster, doc, onPower) {
  const [where, notes] = [el("span", { class: "where" }), el("span", { class: "notes" })];
  const head = el("th", { scope: "col" }, el("strong", {}, cluster.name), where, notes);
  const [traffic, control] = [path(), path()];
  const [shareBar, shareText] = [el("i", { class: "fill" }), el("span")];
  const [cpuBar, cpuText] = [el("i", { class: "fill" }), el("span", { class: "sub" })];
  const held = el("span");
  const [moves, estimate] = [el("span"), el("span", { class: "sub" })];
  let running = [];
  const power = el("button", { type: "button", class: "small", onclick: () => onPower(cluster.name, running) }, "Power off");
  const cells = {
    traffic: traffic.node, control: control.node,
    share: el("td", {}, shareText, el("span", { class: "meter" }, shareBar)),
    capacity: el("td", {}, cpuText, el("span", { class: "meter" }, cpuBar)),
    holds: el("td", {}, held),
    standing: el("td", {}, moves, estimate),
    power: el("td", {}, power),
  };
  return { head, cells, update(c, next, share) {
    text(where, [c.provider, c.region === c.name ? null : c.region].filter(Boolean).join(" · ") || "unknown place");
    set(where, "title", [...c.zones, ...c.vips].join(", "));
    const said = [...c.taints, ...c.conditions.filter((k) => k.status !== "True").map((k) => `${k.type} ${k.status}: ${k.reason}`)];
    text(notes, said.join("; "));
    set(notes, "title", c.conditions.map((k) => `${k.type}=${k.status} ${k.message ?? ""}`).join("\n"));
    traffic.update(c.traffic);
    control.update(c.control);
    meter(shareText, shareBar, share, percent(share));
    const k = c.capacity;
    const used = k && k.cpuMillis ? k.cpuUsedMillis / k.cpuMillis : 0;
    meter(cpuText, cpuBar, used, k ? `${number(k.cpuUsedMillis / 1000, 1)} of ${number(k.cpuMillis / 1000)} cores` : "not reported");
    set(cells.capacity, "title", k ? `${k.podsUsed} of ${k.pods} pods` : "the cluster has not reported its capacity");
    const holds = waiting(next, c.name);
    text(held, holds.text || "·");
    set(cells.holds, "title", holds.title || null);
    set(cells.holds, "data-none", !holds.text);
    set(cells.holds, "data-bad", holds.bad);
    standing(moves, estimate, cells.standing, next.standing?.find((s) => s.ifLost === c.name));
    running = (next.faults ?? []).filter((f) => f.clusters.includes(c.name));
    text(power, running.length ? "End faults" : "Power off");
    set(power, "aria-label", `${power.textContent}: ${c.name}`);
  } };
}

/** One path's verdict, for how long, and how the observers vote. */
function path() {
  const [mark, word, since, votes, rtt] = [sign("v-unknown"), el("b"), el("span", { class: "sub" }), el("span", { class: "votes" }), el("span", { class: "sub" })];
  const node = el("td", { class: "path" }, el("span", { class: "verdict" }, mark, word, since), el("span", { class: "ballot" }, votes, rtt));
  return { node, update(p) {
    setSign(mark, verdictSign(p.verdict));
    set(node, "data-v", p.verdict);
    text(word, !p.probed ? "Not probed" : p.suppressed ? `${p.verdict}, held back` : p.partial ? `${p.verdict}, partial` : p.gray ? `${p.verdict}, gray` : p.verdict);
    text(since, !p.probed ? "" : p.frozen ? "frozen" : coarse(p.sinceMs));
    const cast = Object.entries(p.votes).flatMap(([vote, n]) => Array.from({ length: Math.min(n, 9) }, (_, i) => ({ vote, key: `${vote}${i}` })));
    keyed(votes, cast, (v) => v.key, (v) => el("i", { "data-vote": v.vote }), () => {});
    const tally = `${p.votes.clear} clear, ${p.votes.suspect} suspect, ${p.votes.dead} dead, ${p.votes.abstain} abstain`;
    set(votes, "title", `observers: ${tally}`);
    set(votes, "aria-label", tally);
    set(votes, "role", "img");
    text(rtt, p.rttMs === null || p.rttMs === undefined ? (p.probed ? "no reply" : "") : `${number(p.rttMs, 1)} ms`);
  } };
}

function meter(label, bar, part, words) {
  text(label, words);
  style(bar, "width", `${Math.min(100, part * 100).toFixed(1)}%`);
}

function standing(moves, estimate, cell, plan) {
  if (!plan) {
    text(moves, "–");
    text(estimate, "");
    return;
  }
  text(moves, plan.moves ? plural(plan.moves, "move") : "nothing moves");
  const short = plan.shortReplicas > 0 ? `${plan.shortReplicas} short` : "";
  text(estimate, plan.feasible ? (plan.moves ? `estimated ${plan.estimatedSeconds} s` : "") : `not feasible${short ? `, ${short}` : ""}`);
  set(cell, "data-bad", !plan.feasible);
  set(cell, "title", "the estimate is a sum of settings: detection, hold, eviction budget, start of the pods");
}

function workload(binding, clusters) {
  const total = el("span", { class: "sub" });
  const cells = clusters.map((c) => replicas(c.name));
  const name = binding.template || binding.name;
  const node = el("tr", {}, el("th", { scope: "row", title: `${binding.kind} ${binding.namespace}/${name}` }, name, total), ...cells.map((c) => c.node));
  return { node, update(b, now) {
    text(total, b.scheduled ? `${readiness(b.ready, b.stale)} of ${b.replicas}` : "not placed");
    set(node, "data-bad", !b.scheduled || b.ready < b.replicas);
    set(total, "title", b.message || null);
    for (const cell of cells) cell.update(b, now);
  } };
}

/** One square a replica: full when ready, hollow when assigned only. */
function replicas(cluster) {
  const [figure, pips, leaving] = [el("span", { class: "figure" }), el("span", { class: "pips" }), el("span", { class: "leaving" })];
  const node = el("td", { class: "replicas" }, figure, pips, leaving);
  return { node, update(b, now) {
    const here = b.clusters.find((c) => c.name === cluster) ?? { replicas: 0, ready: 0 };
    const evicting = b.evicting.find((e) => e.cluster === cluster);
    const ready = readiness(here.ready, here.stale);
    text(figure, here.replicas === here.ready ? (here.replicas ? ready : "·") : `${ready} of ${here.replicas}`);
    set(figure, "title", here.stale && here.replicas > 0 ? "as last known: nobody can read this cluster now" : null);
    set(node, "data-none", here.replicas === 0);
    set(node, "data-short", here.ready < here.replicas);
    const squares = Array.from({ length: Math.min(here.replicas, MAX_PIPS) }, (_, i) => i);
    keyed(pips, squares, (i) => i, () => el("i"), (pip, i) => set(pip, "data-ready", i < here.ready));
    const since = evicting?.since ? ` for ${coarse(Math.max(0, Date.parse(now) - Date.parse(evicting.since)))}` : "";
    text(leaving, evicting ? `leaving${since}` : "");
    set(leaving, "title", evicting?.reason);
  } };
}
