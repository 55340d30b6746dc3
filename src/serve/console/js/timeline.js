// What happened, newest first: each decision with the time since the fault before it, and its evidence to unfold.

import { byId, el, keyed, set, sign, text } from "./dom.js";
import { clock, duration, voted } from "./words.js";

const MAX_ENTRIES = 300;
const EPISODE_MS = 180_000;
const SIGNS = [
  [/^cluster\.(down|suspect|up|recovering|unknown)/, (m) => `v-${m[1]}`],
  [/^fault\.injected/, () => "i-fault"], [/^fault\.(cleared|expired)/, () => "i-clear"],
  [/^failover\./, () => "i-move"], [/^steer\./, () => "i-steer"], [/.*/, () => "i-control"],
];

export class Timeline {
  entries = new Map();
  changed = false;

  add(entry) {
    this.entries.set(entry.id, { ...entry, detail: entry.detail ?? "", type: entry.type ?? "" });
    if (this.entries.size > MAX_ENTRIES) this.entries.delete(Math.min(...this.entries.keys()));
    this.changed = true;
  }

  /** Forgets what a server that has since restarted had told: its ids begin again. */
  forgetBefore(instant) {
    for (const [id, e] of this.entries) if (Date.parse(e.at) < instant) this.entries.delete(id);
    this.changed = true;
  }

  /** Faults as spans of time, for the charts. */
  spans(running) {
    const spans = [];
    for (const e of this.ordered()) {
      const at = Date.parse(e.at);
      if (e.type === "fault.injected") begin(spans, at, e.cluster ?? "controller");
      if (/^fault\.(cleared|expired)/.test(e.type)) {
        for (const s of spans) if (s.to === null && (!e.cluster || s.hit.includes(e.cluster))) s.to = at;
      }
    }
    if (running && !running.length) for (const s of spans) s.to ??= s.from;
    return spans;
  }

  ordered() {
    return [...this.entries.values()].sort((a, b) => a.id - b.id);
  }

  update() {
    if (!this.changed) return;
    this.changed = false;
    let fault = null;
    const shown = this.ordered().map((entry) => {
      if (entry.type === "fault.injected" && (fault === null || entry.atMs - fault > 50)) fault = entry.atMs;
      const after = fault === null ? null : entry.atMs - fault;
      return { entry, after: after !== null && after > 0 && after < EPISODE_MS ? after : null };
    });
    set(byId("timeline-empty"), "hidden", shown.length > 0);
    keyed(byId("entries"), shown.reverse(), ({ entry }) => `${entry.id} ${entry.at}`, create, (row, { after }) => {
      text(row.after, after === null ? "" : `+${(after / 1000).toFixed(after < 10_000 ? 2 : 0)} s`);
    });
  }
}

/** Faults of one instant are one span. */
function begin(spans, at, cluster) {
  const last = spans.at(-1);
  if (last && last.to === null && at - last.from < 250) {
    if (!last.hit.includes(cluster)) last.hit.push(cluster);
    last.label = last.hit.join(", ");
  } else spans.push({ from: at, to: null, hit: [cluster], label: cluster });
}

function create({ entry }) {
  const name = SIGNS.map(([pattern, pick]) => [entry.type.match(pattern), pick]).find(([m]) => m);
  const after = el("span", { class: "after", title: "since the fault" });
  const detail = entry.cluster && !entry.detail.startsWith(entry.cluster) ? [el("strong", {}, entry.cluster), ` ${entry.detail}`] : [entry.detail];
  const body = el("span", { class: "what" }, ...detail);
  const line = [el("time", { datetime: entry.at, title: entry.at }, clock(entry.at)), after, sign(name[1](name[0])), body];
  const node = el("li", { "data-type": entry.type });
  if (entry.evidence?.length) node.append(el("details", {}, el("summary", {}, ...line), evidence(entry)));
  else node.append(el("div", { class: "entry" }, ...line));
  return { node, after };
}

function evidence(entry) {
  const head = ["Observer", "Vote", "Missed", "Hard evidence", "Age", "RTT"];
  const rows = entry.evidence.map((w) => el("tr", {},
    el("th", { scope: "row" }, w.region ? `${w.observer} (${w.region})` : w.observer), el("td", {}, voted(w)), el("td", {}, w.missStreak ?? "–"),
    el("td", {}, (w.hard ?? []).join(", ") || "none"), el("td", {}, duration(w.ageMs)), el("td", {}, w.rttMs === null || w.rttMs === undefined ? "–" : `${w.rttMs} ms`)));
  return el("div", { class: "evidence" }, el("table", {},
    el("caption", {}, entry.type), el("thead", {}, el("tr", {}, ...head.map((h) => el("th", { scope: "col" }, h)))), el("tbody", {}, ...rows)));
}
