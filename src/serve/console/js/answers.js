// What every DNS server answers for every global name at this moment, as one bar of shares a server.

import { byId, el, keyed, set, setSign, sign, style, text } from "./dom.js";
import { scaled } from "./shares.js";
import { percent, plural, verdictSign } from "./words.js";

const MAX_NAMES = 12;

export class Answers {
  /** `onFocus(name | null)` is told which name the map should show. */
  constructor({ onFocus }) {
    this.list = byId("names");
    this.empty = byId("answers-empty");
    this.more = el("p", { class: "more", hidden: true });
    this.list.after(this.more);
    this.focus = null;
    this.pick = (name) => {
      this.focus = this.focus === name ? null : name;
      onFocus(this.focus);
    };
  }

  update(doc) {
    const order = new Map(doc.clusters.map((c, i) => [c.name, { index: i, verdict: c.traffic.verdict }]));
    set(this.empty, "hidden", doc.names.length > 0);
    keyed(this.list, doc.names.slice(0, MAX_NAMES), (n) => n.name, (n) => this.create(n), (row, n) => {
      text(row.title, n.name);
      text(row.meta, `${n.policy}, TTL ${n.ttl} s`);
      set(row.title, "aria-pressed", String(this.focus === n.name));
      keyed(row.servers, n.servers, (s) => s.server, createServer, (bar, s) => updateServer(bar, s, order));
    });
    const hidden = doc.names.length - MAX_NAMES;
    set(this.more, "hidden", hidden <= 0);
    if (hidden > 0) text(this.more, `and ${plural(hidden, "more name")}: lifeboat get names`);
  }

  create(name) {
    const title = el("button", { type: "button", class: "name", title: "Show only this name on the map", onclick: () => this.pick(name.name) });
    const [meta, servers] = [el("span", { class: "meta" }), el("ul", { class: "bars" })];
    return { node: el("li", {}, el("div", { class: "name-line" }, title, meta), servers), title, meta, servers };
  }
}

function createServer(server) {
  const [label, bar, none] = [el("span", { class: "server" }, server.server), el("span", { class: "bar", role: "img" }), el("span", { class: "none" })];
  return { node: el("li", {}, label, bar, none), label, bar, none };
}

function updateServer(row, server, order) {
  const known = (a) => order.get(a.cluster) ?? { index: 99, verdict: "Unknown" };
  const answers = scaled(server.answers).filter((a) => a.share > 0).sort((a, b) => known(a).index - known(b).index);
  text(row.none, answers.length ? (server.panic ? "PANIC: last good set" : "") : "no answer published");
  set(row.node, "data-panic", server.panic || answers.length === 0);
  set(row.node, "title", `${server.server} at ${server.address}`);
  set(row.bar, "aria-label", `${server.server} answers ${answers.map((a) => `${a.cluster} ${percent(a.share)}`).join(", ") || "nothing"}`);
  keyed(row.bar, answers, (a) => a.cluster, createSegment, (seg, a) => {
    const { index, verdict } = known(a);
    style(seg.node, "flex-grow", a.share.toFixed(4));
    set(seg.node, "data-tone", index % 5);
    set(seg.node, "data-v", verdict);
    set(seg.node, "title", `${a.cluster}: ${a.addresses.join(", ")}`);
    setSign(seg.mark, verdictSign(verdict));
    text(seg.share, percent(a.share));
  });
}

function createSegment(answer) {
  const [mark, share] = [sign("v-up"), el("i")];
  return { node: el("span", { class: "seg" }, mark, el("b", {}, answer.cluster), share), mark, share };
}
