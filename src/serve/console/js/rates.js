// The two live charts: how the users fare, and how much the DNS servers answer.

import { Chart } from "./chart.js";
import { byId, set, text } from "./dom.js";
import { History } from "./history.js";
import { clock, number, successRate } from "./words.js";

const DNS_LINES = [
  { tone: "ink", dash: [], mark: "━" }, { tone: "ink2", dash: [5, 3], mark: "╍" },
  { tone: "ink", dash: [2, 3], mark: "┅" }, { tone: "ink2", dash: [9, 3, 2, 3], mark: "┉" },
];
const USER_LINES = [{ key: "ok", tone: "ink", fill: 0.08 }, { key: "failed", tone: "down", fill: 0.55 }];

export class Rates {
  history = new History();

  constructor() {
    this.users = new Chart(byId("users-chart"), (s) => `${clock(s.t)}   ${number(s.ok, 1)} ok/s   ${number(s.failed, 1)} failed/s`);
    this.dns = new Chart(byId("dns-chart"), (s) => `${clock(s.t)}   ${this.servers.map((name) => `${name} ${number(s[name])}/s`).join("   ")}`);
    this.servers = [];
  }

  /** `samples`: `{t, ok, failed, dns: {server: rate}}` of the minutes before this page came. */
  begin(samples) {
    this.history.replace(samples.map(({ dns, ...users }) => ({ ...users, ...dns })));
  }

  /** `spans`: the faults as `{from, to, label}` on the server's clock. */
  update(doc, spans) {
    const now = Date.parse(doc.now);
    const sample = { t: now, ok: doc.users?.okPerSecond ?? 0, failed: doc.users?.failedPerSecond ?? 0 };
    for (const server of doc.dns) sample[server.server] = server.qps;
    this.history.push(sample);
    this.servers = doc.dns.map((s) => s.server).slice(0, DNS_LINES.length);
    set(byId("users"), "hidden", !doc.users);
    if (doc.users) this.updateUsers(doc.users, spans, now);
    this.updateDns(doc, spans, now);
  }

  updateUsers(users, spans, now) {
    text(byId("users-big"), successRate(users.okPerSecond, users.failedPerSecond));
    set(byId("users-big"), "data-failing", users.failedPerSecond > 0);
    const failed = users.failedPerSecond > 0 ? `, ${number(users.failedPerSecond, 1)}/s fail now` : "";
    text(byId("users-sub"), `${number(users.okPerSecond, 1)} requests/s succeed${failed}; ${number(users.failed)} of ${number(users.ok + users.failed)} failed since the start`);
    set(byId("users-chart"), "aria-label", `Requests per second over the last three minutes: now ${number(users.okPerSecond)} succeed, ${number(users.failedPerSecond)} fail`);
    this.users.draw(this.history.samples, USER_LINES, spans, now);
  }

  updateDns(doc, spans, now) {
    const total = doc.dns.reduce((sum, s) => sum + s.qps, 0);
    const servfail = doc.dns.reduce((sum, s) => sum + s.servfail, 0);
    const probes = Object.values(doc.users?.probes ?? {});
    const silent = probes.reduce((sum, p) => sum + p.noAnswer, 0);
    const slowest = Math.max(0, ...probes.map((p) => p.maxMs ?? 0));
    text(byId("dns-big"), doc.dns.length ? `${number(total)}/s` : "–");
    const key = this.servers.map((name, i) => `${DNS_LINES[i].mark} ${name}`).join("  ");
    const words = [key || "no server yet", `${number(servfail)} SERVFAIL`];
    if (probes.length) words.push(`${number(silent)} unanswered`, `slowest ${number(slowest, 1)} ms`);
    text(byId("dns-sub"), words.join(", "));
    set(byId("dns-chart"), "aria-label", `DNS queries per second over the last three minutes: ${doc.dns.map((s) => `${s.server} ${number(s.qps)}`).join(", ")}`);
    const lines = this.servers.map((key, i) => ({ key, ...DNS_LINES[i] }));
    this.dns.draw(this.history.samples, lines, spans, now);
  }
}
