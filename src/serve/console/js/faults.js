// The fault desk of the demo: pick clusters, press what shall happen to them, watch it run out.

import { clearFault, clearFaults, injectFault } from "./api.js";
import { byId, el, keyed, set, sign, style, text } from "./dom.js";
import { duration, list } from "./words.js";

const KINDS = [
  ["power-off", "Power off", "every socket silent, its pods are lost"],
  ["black-hole", "Black hole", "silent both ways, pods run on"],
  ["vip-down", "VIP down", "users are refused, the API lives"],
  ["api-down", "API down", "the API is silent, users are served"],
  ["slow", "Slow", "every reply comes late"],
  ["controller-down", "Controller down", "nobody evicts or places; DNS steers alone"],
];
const TTLS = [[15, "15 s"], [60, "1 min"], [300, "5 min"]];
const FLEET_WIDE = new Set(["controller-down"]);

export class Faults {
  picked = new Set();
  seconds = 60;

  /** `onPicked()` is called when the selection changes, so that the map can show it. */
  constructor({ onPicked }) {
    this.onPicked = onPicked;
    this.whole = new Map();
    const ttl = ([seconds, label]) => el("label", { class: "chip" },
      el("input", { type: "radio", name: "ttl", value: seconds, checked: seconds === this.seconds, onchange: () => (this.seconds = seconds) }), el("span", {}, label));
    byId("fault-ttl").append(...TTLS.map(ttl));
    this.buttons = KINDS.map(([kind, label, meaning]) => {
      const button = el("button", { type: "button", class: "kind", "data-kind": kind, onclick: () => this.inject(kind, [...this.picked]) }, el("b", {}, label), el("span", {}, meaning));
      byId("fault-kinds").append(button);
      return { kind, button };
    });
    byId("fault-clear").addEventListener("click", () => this.run("All faults are cleared.", clearFaults()));
    this.guide();
  }

  toggle(cluster) {
    if (!this.picked.delete(cluster)) this.picked.add(cluster);
    this.guide();
    this.onPicked();
  }

  update(doc) {
    set(byId("faults"), "hidden", !doc.faults);
    if (!doc.faults) return;
    for (const name of this.picked) if (!doc.clusters.some((c) => c.name === name)) this.picked.delete(name);
    keyed(byId("fault-clusters"), doc.clusters, (c) => c.name, (c) => this.createChip(c), (row, c) => {
      row.box.checked = this.picked.has(c.name);
    });
    keyed(byId("fault-list"), doc.faults, (f) => f.id, (f) => this.createRunning(f), (row, f) => {
      const whole = this.whole.get(f.id) ?? f.sinceMs + f.remainingMs;
      this.whole.set(f.id, whole);
      text(row.left, `${Math.ceil(f.remainingMs / 1000)} s left`);
      style(row.fill, "width", `${((100 * f.remainingMs) / Math.max(whole, 1)).toFixed(1)}%`);
    });
    for (const id of this.whole.keys()) if (!doc.faults.some((f) => f.id === id)) this.whole.delete(id);
    byId("fault-clear").disabled = doc.faults.length === 0;
    set(byId("fault-list"), "data-none", doc.faults.length === 0);
  }

  createChip(cluster) {
    const box = el("input", { type: "checkbox", value: cluster.name, onchange: () => this.toggle(cluster.name) });
    return { node: el("label", { class: "chip" }, box, el("span", {}, cluster.name)), box };
  }

  createRunning(fault) {
    const [left, fill] = [el("span", { class: "left" }), el("i", { class: "fill" })];
    const what = el("span", { class: "what" }, el("b", {}, fault.kind), fault.clusters.length ? ` ${list(fault.clusters)}` : "");
    const end = el("button", { type: "button", class: "small", "aria-label": `End ${fault.kind} ${list(fault.clusters)}`, onclick: () => this.end([fault]) }, "End");
    return { node: el("li", {}, sign("i-fault"), what, left, end, el("span", { class: "meter" }, fill)), left, fill };
  }

  inject(kind, clusters) {
    const on = FLEET_WIDE.has(kind) ? [] : clusters;
    return this.run(on.length ? `${kind} runs on ${list(on)}.` : `${kind} runs.`, injectFault(kind, on, this.seconds));
  }

  end(faults) {
    return this.run("The fault has ended.", Promise.all(faults.map((f) => clearFault(f.id))));
  }

  async run(done, request) {
    const said = byId("fault-said");
    try {
      await request;
      set(said, "data-bad", null);
      text(said, done);
    } catch (error) {
      set(said, "data-bad", true);
      text(said, `Not done: ${error.message}`);
    }
  }

  /** Kinds that need a cluster rest until one is picked, and say so. */
  guide() {
    for (const { kind, button } of this.buttons) {
      button.disabled = !FLEET_WIDE.has(kind) && this.picked.size === 0;
      set(button, "title", button.disabled ? "Pick one or more clusters first" : null);
    }
    set(byId("fault-said"), "data-bad", null);
    const names = [...this.picked];
    text(byId("fault-said"), names.length ? `The next fault hits ${list(names)}${names.length > 1 ? " at one instant" : ""}.` : "Pick clusters here or on the map, then press what shall happen.");
  }
}
