// The map: every cluster at its place with both verdicts, and the share of answers flowing to it from the users.

import { FRAME, USERS, placeOf } from "./atlas.js";
import { GRATICULE, LAND } from "./coast.js";
import { byId, el, keyed, set, sign, style, svg, text } from "./dom.js";
import { box, fan, sides, spread } from "./place.js";
import { clusterShares } from "./shares.js";
import { number, percent, plural, readiness, standing, successRate, verdictSign } from "./words.js";

const USERS_RADIUS = 34;
const DRIFT_MS = 140;
const SHORT = "Recovering".length;
const STILL = matchMedia("(prefers-reduced-motion: reduce)");
const WIDE = { radius: 19, gap: 60, label: { width: 118, height: 33 } };
// Here a label is a name alone while all is well: map.css hides the rest.
const NARROW = { radius: 16, gap: 84, label: { width: 96, height: 18 } };

export class FleetMap {
  constructor({ onPick }) {
    this.root = byId("map");
    [this.chart, this.overlay] = this.root.querySelectorAll(".chart");
    this.nodes = this.root.querySelector(".nodes");
    [this.ground, this.leaders, this.flows] = [...this.chart.querySelectorAll("g")];
    this.ground.append(svg("path", { class: "graticule", d: GRATICULE }), svg("path", { class: "land", d: LAND }));
    for (const word of ["Up", "Suspect", "Down", "Recovering", "Unknown"]) {
      this.root.querySelector(".states").append(el("span", {}, sign(verdictSign(word)), word));
    }
    this.onPick = onPick;
    this.users = el("div", { class: "users" }, el("strong", {}, "–"), el("span", {}, "users"));
    this.nodes.before(this.users);
    this.placed = new Map();
    this.signature = "";
    this.focus = null;
    this.last = null;
    setInterval(() => this.drift(), DRIFT_MS);
    new ResizeObserver(() => {
      this.signature = "";
      if (this.last) this.update(...this.last);
    }).observe(this.root);
  }

  update(doc, picked) {
    this.last = [doc, picked];
    this.layout(doc.clusters);
    const shares = clusterShares(doc.names, this.focus);
    const faults = doc.faults ?? [];
    keyed(this.nodes, doc.clusters, (c) => c.name, (c) => this.createNode(c), (row, c) => {
      row.update(c, shares.get(c.name) ?? 0, faults.filter((f) => f.clusters.includes(c.name)), picked?.has(c.name), this.placed.get(c.name));
    });
    for (const [layer, moving] of [[this.flows, false], [this.overlay.firstChild, true]]) {
      keyed(layer, doc.clusters, (c) => c.name, () => svg("path", { class: moving ? "drift" : "flow" }), (path, c) => {
        updateFlow(path, c, shares.get(c.name) ?? 0, this.placed.get(c.name), moving);
      });
    }
    this.updateUsers(doc.users);
    text(byId("map-focus"), `Line width: share of ${this.focus ? `the answers for ${this.focus}` : "all answers"}`);
  }

  /** Places ground, users and nodes in this window's pixels; only when the window or the fleet changed. */
  layout(clusters) {
    const [width, height] = [this.root.clientWidth, this.root.clientHeight];
    const signature = `${width}x${height} ${clusters.map((c) => `${c.name}@${c.region}`).join()}`;
    if (signature === this.signature || width === 0) return;
    this.signature = signature;
    const scale = Math.min(width / (FRAME.right - FRAME.left), height / (FRAME.bottom - FRAME.top));
    // Labels stand to the right of the easternmost nodes: most of the slack goes there.
    const dx = (width - (FRAME.right - FRAME.left) * scale) * 0.12 - FRAME.left * scale;
    const dy = (height - (FRAME.bottom + FRAME.top) * scale) / 2;
    const pixels = (p) => ({ x: p.x * scale + dx, y: p.y * scale + dy });
    for (const layer of [this.chart, this.overlay]) set(layer, "viewBox", `0 0 ${width} ${height}`);
    set(this.ground, "transform", `translate(${dx} ${dy}) scale(${scale})`);
    this.usersAt = pixels(USERS);
    const form = width < 560 ? NARROW : WIDE;
    const size = { width, height, margin: form.radius + 12 };
    this.place(clusters.map((c) => ({ name: c.name, ...mapped(placeOf(c.region), pixels) })), size, form);
  }

  place(points, size, { radius, gap, label }) {
    const known = points.filter((p) => p.x !== undefined);
    const strange = points.filter((p) => p.x === undefined);
    const users = { ...this.usersAt, gap: radius + USERS_RADIUS + 24 };
    const nodes = spread(known, [users], size, gap);
    const row = strange.map((p, i) => ({ ...p, x: size.width - 60 - (strange.length - 1 - i) * 90, y: size.height - 70, strange: true }));
    const flows = fan([...nodes, ...row], users, radius);
    const taken = [box(users.x - USERS_RADIUS, users.y - USERS_RADIUS, 2 * USERS_RADIUS, 2 * USERS_RADIUS),
      ...[...flows.values()].flatMap((f) => f.through.map((p) => box(p.x - 5, p.y - 5, 10, 10)))];
    const chosen = sides(nodes, label, radius, size, taken);
    this.placed = new Map(nodes.map((n, i) => [n.name, { ...n, ...chosen[i], flow: flows.get(n.name) }]));
    for (const n of row) this.placed.set(n.name, { ...n, side: "below", shift: 0, flow: flows.get(n.name) });
    style(this.users, "transform", `translate(${users.x}px, ${users.y}px)`);
    this.leaders.replaceChildren(...nodes.filter((n) => Math.hypot(n.x - n.at.x, n.y - n.at.y) > radius * 0.6).flatMap((n) => [
      svg("path", { d: `M${n.at.x} ${n.at.y}L${n.x} ${n.y}` }), svg("circle", { cx: n.at.x, cy: n.at.y, r: 2 }),
    ]));
  }

  createNode(cluster) {
    const traffic = svg("path", { d: "M23 5.5a18 18 0 0 0 0 37" });
    const control = svg("path", { d: "M25 5.5a18 18 0 0 1 0 37" });
    const [count, name, line, more] = [el("b"), el("strong", {}, cluster.name), el("span"), el("span", { class: "more" })];
    const mark = sign("v-unknown");
    const label = el("span", { class: "label" }, name, el("span", { class: "line" }, mark, line, more));
    const ring = svg("svg", { class: "ring", viewBox: "0 0 48 48", "aria-hidden": "true" }, svg("circle", { cx: 24, cy: 24, r: 15.5 }), traffic, control);
    const node = el("button", { type: "button", class: "node", onclick: () => this.onPick(cluster.name) },
      ring, count, label);
    return { node, update: (c, share, faults, picked, at) => {
      if (!at) return;
      style(node, "transform", `translate(${at.x}px, ${at.y}px)`);
      set(node, "data-side", at.side);
      style(label, "translate", `${at.shift.toFixed(1)}px`);
      set(node, "data-strange", at.strange ?? false);
      set(node, "aria-pressed", picked === undefined ? null : String(picked));
      set(traffic, "data-v", c.traffic.verdict);
      set(control, "data-v", c.control.verdict);
      const stale = c.replicas.stale && c.replicas.assigned > 0;
      text(count, readiness(c.replicas.ready, stale));
      const known = stale ? " as last known" : "";
      const same = c.traffic.verdict === c.control.verdict;
      const words = same ? c.traffic.verdict : c.traffic.verdict === "Up" ? `API ${c.control.verdict}` : `traffic ${c.traffic.verdict}`;
      const worse = same || c.traffic.verdict !== "Up" ? c.traffic.verdict : c.control.verdict;
      set(mark, "class", `sign ${verdictSign(worse)}`);
      set(mark.firstChild, "href", `#${verdictSign(worse)}`);
      text(line, words);
      // Beside a long verdict there is no room: it says what matters, and the desk lists the faults.
      const beside = faults.length ? faults[0].kind : percent(share);
      text(more, words.length <= SHORT ? ` · ${beside}` : "");
      set(node, "data-calm", same && worse === "Up");
      set(node, "aria-label", `${c.name}: traffic ${c.traffic.verdict}, API ${c.control.verdict}, ${percent(share)} of the answers, ${plural(c.replicas.ready, "replica")} ready${known}`);
      set(node, "title", `traffic ${standing(c.traffic)}, API ${standing(c.control)}; ${c.replicas.ready} of ${c.replicas.assigned} replicas ready${known}`);
    } };
  }

  /** Moves the dots along the flows; a few steps a second by hand cost a tenth of an animation at 60. */
  drift() {
    if (document.hidden || STILL.matches || document.body.dataset.link !== "live") return;
    this.offset = ((this.offset ?? 0) + 2) % 16;
    style(this.overlay.firstChild, "stroke-dashoffset", `${-this.offset}px`);
  }

  updateUsers(users) {
    const [rate, label] = this.users.children;
    text(rate, users ? successRate(users.okPerSecond, users.failedPerSecond) : "users");
    text(label, users ? `${number(users.okPerSecond + users.failedPerSecond)} users/s` : "everywhere");
    set(this.users, "data-failing", Boolean(users && users.failedPerSecond > 0));
  }
}

function mapped(place, pixels) {
  return place ? pixels(place) : {};
}

/** Draws the curve to one cluster; its width is the share of the answers. The moving dots have a layer of their own. */
function updateFlow(path, cluster, share, at, moving) {
  if (!at) return;
  set(path, "d", at.flow.d);
  set(path, "data-flowing", String(share > 0.002));
  set(path, "data-v", cluster.traffic.verdict);
  if (!moving) style(path, "stroke-width", share > 0.002 ? `${(1.5 + 15 * share).toFixed(2)}px` : "1px");
}
