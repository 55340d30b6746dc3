// Who says so: the DNS servers with the plan they answer from, and the observers with their freshness.

import { byId, el, keyed, set, setSign, sign, text } from "./dom.js";
import { duration, number } from "./words.js";

export function updateWitness(doc) {
  if (doc.dns.length) {
    const host = byId("servers");
    if (!host.querySelector("table")) {
      const head = ["Server", "Address", "State", "Answers from", "Queries/s", "NXDOMAIN", "SERVFAIL"];
      host.replaceChildren(el("table", {}, el("thead", {}, el("tr", {}, ...head.map((h) => el("th", { scope: "col" }, h)))), el("tbody")));
    }
    keyed(host.querySelector("tbody"), doc.dns, (s) => s.server, createServer, updateServer);
  }
  keyed(byId("observers"), doc.observers, (o) => o.name, createObserver, updateObserver);
}

function createServer(server) {
  const cells = Array.from({ length: 6 }, () => el("td"));
  const [mark, word] = [sign("v-unknown"), el("span")];
  cells[1].append(mark, word);
  return { node: el("tr", {}, el("th", { scope: "row" }, server.server), ...cells), cells, mark, word };
}

function updateServer({ cells, mark, word }, s) {
  const [address, , source, qps, nxdomain, servfail] = cells;
  text(address, s.address);
  setSign(mark, s.ready ? "v-up" : "v-unknown");
  text(word, s.ready ? "ready" : "not ready");
  text(source, s.source === "plan" ? `plan ${s.epoch}.${s.seq}` : `last known good ${s.epoch}.${s.seq}`);
  text(qps, number(s.qps));
  text(nxdomain, number(s.nxdomain));
  text(servfail, number(s.servfail));
  set(servfail, "data-bad", s.servfail > 0);
}

function createObserver(observer) {
  const [mark, age] = [sign("v-unknown"), el("span", { class: "sub" })];
  return { node: el("li", {}, mark, el("b", {}, observer.name), age), mark, age };
}

function updateObserver({ node, mark, age }, o) {
  const heard = o.ageMs !== null;
  const refused = o.probesOtherwise && !o.probesOtherwise.counts;
  const state = o.abstaining ? "abstains" : o.fresh ? "" : refused ? "not counted" : "silent";
  setSign(mark, o.abstaining ? "v-unknown" : o.fresh ? "v-up" : "v-down");
  text(age, !heard ? "never heard" : state ? `${state}, ${duration(o.ageMs)}` : duration(o.ageMs));
  const last = heard ? `${state || "fresh"}, last evidence ${duration(o.ageMs)} ago` : "never heard";
  const otherwise = o.probesOtherwise ? `; probes otherwise: ${o.probesOtherwise.why}` : "";
  set(node, "title", `${o.name}${o.region ? ` in ${o.region}` : ""}: ${last}${otherwise}`);
}
