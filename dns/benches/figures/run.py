#!/usr/bin/env python3
"""Holds the DNS server's speed against what is asked of it and against Debian's gdnsd, knot and nsd, all in one run.

Servers and load are processes on loopback: each server has one UDP thread and is pinned to one processor, dnsperf to the other.
They take turns in rounds; a ratio is of two figures of one round, and the median of the rounds counts, so that others on the
machine disturb all alike. Needs two processors, Python 3 and Debian's gdnsd, knot, nsd and dnsperf.
Exit code 1 when a figure is missed.
"""
import argparse
import os
import random
import re
import statistics
import subprocess
import tempfile
import time
import urllib.request

import load
import servers
import zones

MANY = 1_000_000
CLIENTS, CONNECTIONS = 8, 125


class Figures:
    """What was asked and what was measured."""

    def __init__(self):
        self.rows = []

    def add(self, what, asked, measured, met=True):
        self.rows.append((what, asked, measured, met))
        print(f"  {'ok    ' if met else 'MISSED'} {what}: {measured}" + (f" (asked: {asked})" if asked else ""), flush=True)

    def ratio(self, what, values, least=None, most=None):
        """The median of ratios, with the least and the largest."""
        value = statistics.median(values)
        asked = f"≤ {most:.2f} ×" if most else f"≥ {least:.2f} ×" if least else ""
        met = (most is None or round(value, 2) <= most) and (least is None or round(value, 2) >= least)
        self.add(what, asked, f"{value:.2f} × ({min(values):.2f} to {max(values):.2f})", met)

    def most(self, what, value, limit, unit):
        asked = "" if limit is None else f"≤ {limit:g} {unit}".strip()
        self.add(what, asked, f"{value:.4g} {unit}".strip(), limit is None or value <= limit)

    def missed(self):
        return [what for what, _, _, met in self.rows if not met]

    def markdown(self):
        rows = [f"| {what} | {asked} | {measured if met else f'**{measured}**'} |" for what, asked, measured, met in self.rows]
        return "\n".join(["| figure | asked | measured |", "|---|---|---|", *rows]) + "\n"


def udp(figures, options, folder):
    """Processor time a query: ours plain, steered and flooded, beside the peers and the floor."""
    zone = f"{folder}/small.zone"
    ours = servers.lifeboat(options.binary, folder, zones.configuration(folder), zones.packet(f"steer1.{zones.ORIGIN}", 1))
    started = [ours]
    try:
        for peer in (servers.gdnsd, servers.knot, servers.nsd):
            started.append(peer(folder, zone))
        started.append(servers.echo(options.echo, folder))
        _, gdnsd, knot, nsd, echo = started
        lineup = [("echo", echo, "plain"), ("plain", ours, "plain"), ("gdnsd", gdnsd, "plain"), ("steered", ours, "steered"),
                  ("flood", ours, "flood"), ("knot", knot, "plain"), ("nsd", nsd, "plain")]
        runs = {label: [] for label, _, _ in lineup}
        memory = []
        for turn in range(options.rounds + 1):
            for label, server, queries in lineup:
                run = load.udp(server, f"{folder}/{queries}.queries", options.seconds if turn else 1)
                expected = "NXDOMAIN" if label == "flood" else "NOERROR"
                if int(run.codes.get(expected, 0)) != run.done:
                    raise SystemExit(f"{label}: not all {expected}: {run.codes}")
                # The first turn warms up.
                if turn:
                    runs[label].append(run)
                if label == "flood":
                    memory.append(ours.account("VmRSS"))
    finally:
        for server in started:
            server.stop()
    ratios = lambda label, base: [one.cpu_us / other.cpu_us for one, other in zip(runs[label], runs[base])]
    figures.ratio("processor time a query, plain A and AAAA, against gdnsd", ratios("plain", "gdnsd"), most=1.0)
    figures.ratio("the same against the echo", ratios("plain", "echo"), most=1.1)
    figures.ratio("weighted, geo and ECS on every query, against plain", ratios("steered", "plain"), most=1.15)
    figures.ratio("flood of random names that do not exist, against plain", ratios("flood", "plain"), most=1.2)
    figures.most("growth of resident memory over all floods but the first", max(0.0, memory[-1] - memory[0]), 1, "MB")
    for label in runs:
        name = {"plain": "lifeboat, plain", "steered": "lifeboat, steered", "flood": "lifeboat, flood"}.get(label, label)
        cpu = statistics.median(run.cpu_us for run in runs[label])
        per_s = statistics.median(run.per_s for run in runs[label])
        figures.add(f"processor time a query: {name}", "", f"{cpu:.2f} µs ({per_s / 1000:,.0f} k queries/s)")


def tcp(figures, options, folder):
    """Queries a second over a thousand connections, one query at a time on each."""
    zone = f"{folder}/small.zone"
    started = []
    try:
        started.append(servers.lifeboat(options.binary, folder, zones.configuration(folder), zones.PROBE))
        started.append(servers.knot(folder, zone))
        runs = {server.name: [] for server in started}
        for turn in range(options.rounds + 1):
            for server in started:
                # Connecting takes a while; 8 s and the median of the rounds are hardly touched by it.
                seconds = 2 * options.seconds if turn else 2
                run = load.tcp(server, f"{folder}/plain.queries", seconds, CLIENTS, CONNECTIONS)
                if turn:
                    runs[server.name].append(run)
    finally:
        for server in started:
            server.stop()
    pairs = list(zip(runs["lifeboat"], runs["knot"]))
    figures.ratio("queries/s over 1,000 TCP connections, against Knot", [ours.per_s / peer.per_s for ours, peer in pairs], least=1.0)
    figures.ratio("processor time a query over TCP, against Knot", [ours.cpu_us / peer.cpu_us for ours, peer in pairs])
    for name, of in runs.items():
        cpu = statistics.median(run.cpu_us for run in of)
        per_s = statistics.median(run.per_s for run in of)
        lost = sum(run.lost for run in of)
        figures.add(f"over TCP: {name}", "", f"{per_s / 1000:,.0f} k queries/s, {cpu:.2f} µs a query, {lost} lost")


def swap(figures, options, folder):
    """A new zone file of a million names every ten seconds, under a steady load."""
    texts = [zones.large(MANY, salt) for salt in (0, 1)]
    path = servers.write(f"{folder}/large/zone", texts[0])
    with open(f"{folder}/large/queries", "w") as file:
        file.write(zones.hosts(MANY, random.Random(7)))
    admin = f"127.0.0.1:{servers.free_port()}"
    configuration = f'listen: [{{address: "127.0.0.1:PORT"}}]\nadmin: "{admin}"\nzones: [{{name: example.org, file: {path}}}]\n'
    server = servers.lifeboat(options.binary, f"{folder}/large", configuration, zones.packet("host-0000001.example.org", 1))
    try:
        # What is kept on disk has been written.
        time.sleep(10)
        one = server.account("VmRSS")
        seconds = 10 * options.swaps
        steady = ["-d", f"{folder}/large/queries", "-Q", "100000", "-c", "16", "-q", "2000", "-t", "1"]
        quiet = load.finish(load.start(server, *steady, "-l", str(seconds // 2)))
        server.forget_peak()
        before = plans(admin)
        running = load.start(server, *steady, "-l", str(seconds))
        for turn in range(1, options.swaps):
            time.sleep(10)
            servers.write(f"{path}.new", texts[turn % 2])
            os.rename(f"{path}.new", path)
        busy = load.finish(running)
        peak = server.account("VmHWM")
        swapped = plans(admin) - before
    finally:
        server.stop()
    figures.add("queries/s while snapshots of 1,000,000 names are swapped every 10 s", "100,000", f"{busy.per_s:,.0f}", busy.per_s > 99_000)
    figures.add("snapshots put in force meanwhile", f"{options.swaps - 1}", f"{swapped}", swapped == options.swaps - 1)
    figures.most("queries lost meanwhile", busy.lost, 0, "")
    figures.most("slowest query meanwhile", busy.slowest_ms, 20, "ms")
    figures.most("slowest query without swaps", quiet.slowest_ms, None, "ms")
    figures.most("resident memory with one snapshot", one, None, "MB")
    figures.most("peak of resident memory, against one snapshot", peak / one, 2, "×")


def plans(admin):
    """How many plans a server has put in force."""
    with urllib.request.urlopen(f"http://{admin}/metrics", timeout=10) as metrics:
        told = metrics.read().decode()
    return int(re.search(r"(?m)^lifeboat_dns_plans_applied_total.* (\d+)$", told)[1])


def benches(figures, options, folder):
    """What needs no peer is measured by benchmarks of the crate itself."""
    for bench in ("million", "verdict"):
        command = ["cargo", "bench", "--quiet", "-p", "lifeboat-dns", "--locked", "--bench", bench]
        told = subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout
        rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]*) \| ([^|]*) \|$", told, re.MULTILINE)
        rows = [row for row in rows if row[0] != "figure"]
        if not rows:
            raise SystemExit(f"{' '.join(command)} tells:\n{told}")
        for what, measured, most, kept in rows:
            figures.add(what, f"≤ {most}" if most else "", measured, kept != "NOT KEPT")


SECTIONS = {"udp": udp, "tcp": tcp, "swap": swap, "benches": benches}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", default=list(SECTIONS), help=f"of {', '.join(SECTIONS)}; all where left out")
    parser.add_argument("--binary", default="target/release/lifeboat")
    parser.add_argument("--echo", default="target/release/examples/echo")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=4, help="of one measurement")
    parser.add_argument("--swaps", type=int, default=6)
    parser.add_argument("--markdown", help="the page whose table is written anew")
    options = parser.parse_args()
    figures = Figures()
    with tempfile.TemporaryDirectory(prefix="lifeboat-dns-figures-") as folder:
        zones.write(folder)
        for section in options.sections:
            print(f"{section}: {SECTIONS[section].__doc__}", flush=True)
            SECTIONS[section](figures, options, folder)
    if options.markdown:
        with open(options.markdown) as page:
            text = page.read()
        with open(options.markdown, "w") as page:
            page.write(re.sub(r"(?ms)^\| figure .*?\n(?!\|)", lambda _: figures.markdown(), text + "\n", count=1).rstrip("\n") + "\n")
    if figures.missed():
        raise SystemExit("missed: " + "; ".join(figures.missed()))


if __name__ == "__main__":
    main()
