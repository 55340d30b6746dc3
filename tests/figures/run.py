#!/usr/bin/env python3
"""Runs the scripted demo and holds its figures against what is asked of them.

Each scenario starts the demo as a user would (a process, loopback sockets), reads its report and, where a
figure is about bindings, asks the running demo's API before, during and after the fault.
Needs nothing but Python 3 and the binary. Exit code 1 when a figure is missed.
"""
import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

CONSOLE = "http://127.0.0.1:8080"
ALL = "eu-north-1,eu-central-1,europe-north1,europe-west1,us-east1"
TTL_MS, HOLD_MS, POD_START_MS = 5000, 3000, 2000


def get(path):
    with urllib.request.urlopen(CONSOLE + path, timeout=5) as answer:
        return json.load(answer)


def placements():
    """Where every binding's replicas are, without what changes by itself."""
    return {
        f"{b['namespace']}/{b['name']}": sorted((c["name"], c["replicas"]) for c in b["clusters"])
        for b in get("/api/bindings")
    }


class Demo:
    """A demo process with a report."""

    def __init__(self, binary, *arguments):
        self.folder = tempfile.TemporaryDirectory(prefix="lifeboat-figures-")
        self.report_path = os.path.join(self.folder.name, "report.json")
        command = [binary, "demo", "--headless", "--hold", f"{HOLD_MS}ms", "--pod-start", f"{POD_START_MS}ms",
                   "--report", self.report_path, *arguments]
        self.command = " ".join(["lifeboat", *command[1:]]).replace(self.report_path, "report.json")
        self.log = open(os.path.join(self.folder.name, "log"), "w+")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT)

    def said(self):
        self.log.flush()
        with open(self.log.name) as log:
            return log.read()

    def wait_for(self, pattern, timeout):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if re.search(pattern, self.said()):
                return
            if self.process.poll() is not None:
                raise SystemExit(f"the demo ended early:\n{self.said()}")
            time.sleep(0.05)
        raise SystemExit(f"the demo did not say {pattern!r} within {timeout} s:\n{self.said()}")

    def report(self, timeout):
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGINT)
            raise SystemExit(f"the demo did not end within {timeout} s:\n{self.said()}")
        with open(self.report_path) as report:
            return json.load(report)


def told(value):
    """A figure as a reader says it."""
    return "not reached" if value is None else value


class Figures:
    """What was asked and what was measured, run by run."""

    def __init__(self):
        self.rows = {}
        self.commands = {}

    def add(self, scenario, what, asked, measured, met):
        self.rows.setdefault((scenario, what, asked), []).append((measured, met))
        print(f"  {'ok    ' if met else 'MISSED'} {what}: {measured} (asked: {asked})", flush=True)

    def at_most(self, scenario, what, measured, limit, unit="ms"):
        met = measured is not None and measured <= limit
        self.add(scenario, what, f"≤ {limit:,} {unit}", measured, met)

    def equal(self, scenario, what, measured, wanted):
        self.add(scenario, what, f"= {told(wanted)}", told(measured), measured == wanted)

    def missed(self):
        return [key for key, runs in self.rows.items() if not all(met for _, met in runs)]

    def markdown(self):
        lines = []
        scenario = None
        for (name, what, asked), runs in self.rows.items():
            if name != scenario:
                lines += ["", f"### {name}", "", f"    {self.commands[name]}", "",
                          "| figure | asked | median | worst | runs |", "|---|---|---|---|---|"]
                scenario = name
            values = [value for value, _ in runs]
            numbers = [value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]
            whole = len(numbers) == len(values)
            median = f"{statistics.median(numbers):g}" if whole else str(values[0])
            worst = f"{max(numbers):g}" if whole else ", ".join(sorted({str(value) for value in values}))
            met = sum(1 for _, ok in runs if ok)
            lines.append(f"| {what} | {asked} | {median} | {worst} | {met} of {len(runs)} met |")
        return "\n".join(lines)


def dns_is_sound(figures, scenario, report):
    dns = report["dns"]
    for field in ["no_answer", "empty_answers", "servfail", "down_cluster_answers_after_all_changed"]:
        figures.equal(scenario, f"dns.{field}", dns[field], 0)


def workloads_whole(figures, scenario, report):
    workloads = report["workloads"]
    figures.equal(scenario, "workloads.ready_end − desired", workloads["ready_end"] - workloads["desired"], 0)


def power_off(figures, binary, kind="power-off"):
    demo = Demo(binary, "--duration", "45s", "--fault", f"{kind}:eu-central-1@5s", "--clear", "@20s")
    figures.commands[kind] = demo.command
    report = demo.report(150)
    timings = report["timings_ms"]
    figures.at_most(kind, "all_dns_changed", timings["all_dns_changed"], 1000)
    figures.at_most(kind, "users_recovered", timings["users_recovered"], 1000 + TTL_MS + 1000)
    figures.equal(kind, "users.failed_after_recovery", report["users"]["failed_after_recovery"], 0)
    figures.at_most(kind, "replicas_ready", timings["replicas_ready"], HOLD_MS + POD_START_MS + 3000)
    figures.at_most(kind, "traffic_returned", timings["traffic_returned"], 20000)
    workloads_whole(figures, kind, report)
    dns_is_sound(figures, kind, report)


def black_hole(figures, binary):
    power_off(figures, binary, "black-hole")


def unchanged_bindings(figures, binary, scenario, fault, duration_s, clear_s, check):
    demo = Demo(binary, "--duration", f"{duration_s}s", "--fault", f"{fault}@5s", "--clear", f"@{clear_s}s")
    figures.commands[scenario] = demo.command
    demo.wait_for(r"users are served", 60)
    before = placements()
    changed = 0
    end = time.monotonic() + duration_s - 2
    while time.monotonic() < end and demo.process.poll() is None:
        try:
            changed += placements() != before
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pass
        time.sleep(0.25)
    report = demo.report(120)
    figures.equal(scenario, "looks at the bindings that differed from before the fault", changed, 0)
    check(report)


def vip_down(figures, binary):
    def check(report):
        figures.at_most("vip-down", "all_dns_changed", report["timings_ms"]["all_dns_changed"], 1000)
        dns_is_sound(figures, "vip-down", report)
        workloads_whole(figures, "vip-down", report)

    unchanged_bindings(figures, binary, "vip-down", "vip-down:eu-central-1", 25, 15, check)


def api_down(figures, binary):
    def check(report):
        figures.equal("api-down", "first_dns_change", report["timings_ms"]["first_dns_change"], None)
        figures.equal("api-down", "users.failed", report["users"]["failed"], 0)
        dns = report["dns"]
        for field in ["no_answer", "empty_answers", "servfail"]:
            figures.equal("api-down", f"dns.{field}", dns[field], 0)

    unchanged_bindings(figures, binary, "api-down", "api-down:eu-central-1", 25, 15, check)


def all_five(figures, binary):
    scenario = "all five at once"

    def check(report):
        dns = report["dns"]
        for field in ["no_answer", "empty_answers", "servfail"]:
            figures.equal(scenario, f"dns.{field}", dns[field], 0)
        figures.equal(scenario, "first_dns_change", report["timings_ms"]["first_dns_change"], None)
        workloads_whole(figures, scenario, report)

    unchanged_bindings(figures, binary, scenario, f"power-off:{ALL}", 80, 25, check)


def controller_down(figures, binary):
    scenario = "controller down"
    demo = Demo(binary, "--duration", "50s", "--fault", "controller-down@5s", "--fault",
                "power-off:eu-central-1@8s", "--clear", "@25s")
    figures.commands[scenario] = demo.command
    report = demo.report(150)
    figures.at_most(scenario, "all_dns_changed", report["timings_ms"]["all_dns_changed"], 1000)
    dns_is_sound(figures, scenario, report)
    workloads_whole(figures, scenario, report)


def idle(figures, binary):
    scenario = "idle"
    demo = Demo(binary, "--duration", "50s")
    figures.commands[scenario] = demo.command
    demo.wait_for(r"users are served", 60)
    time.sleep(5)

    def cpu_s():
        with open(f"/proc/{demo.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    start, began = cpu_s(), time.monotonic()
    time.sleep(40)
    cores = (cpu_s() - start) / (time.monotonic() - began)
    with open(f"/proc/{demo.process.pid}/status") as status:
        peak_mb = int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1)) / 1024
    demo.report(60)
    figures.at_most(scenario, "cores used over 40 s", round(cores, 3), 0.5, "cores")
    figures.at_most(scenario, "peak resident memory", round(peak_mb), 400, "MB")


SCENARIOS = {
    "power-off": power_off,
    "black-hole": black_hole,
    "vip-down": vip_down,
    "api-down": api_down,
    "all-five": all_five,
    "controller-down": controller_down,
    "idle": idle,
}


def scenario(text):
    """NAME or NAME=RUNS."""
    name, _, runs = text.partition("=")
    if name not in SCENARIOS:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(SCENARIOS)}")
    return name, int(runs) if runs else None


def write(path, figures):
    """Replaces what stands below the marker by the figures so far."""
    marker = "<!-- measured -->"
    with open(path) as file:
        head = file.read().split(marker)[0]
    with open(path, "w") as file:
        file.write(f"{head}{marker}\n{figures.markdown()}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/lifeboat", help="the release binary")
    parser.add_argument("--runs", type=int, default=5, help="runs of each scenario")
    parser.add_argument("--only", type=scenario, action="append", metavar="NAME[=RUNS]",
                        help=f"run this scenario only; repeatable; one of {', '.join(SCENARIOS)}")
    parser.add_argument("--markdown", help="replace what stands below the marker line in this file by the results")
    arguments = parser.parse_args()
    figures = Figures()
    for name, runs in arguments.only or [(name, None) for name in SCENARIOS]:
        runs = runs or arguments.runs
        for run in range(1, runs + 1):
            print(f"{name}, run {run} of {runs}", flush=True)
            SCENARIOS[name](figures, arguments.binary)
        if arguments.markdown:
            write(arguments.markdown, figures)
    for missed in figures.missed():
        print("missed:", *missed)
    sys.exit(1 if figures.missed() else 0)


if __name__ == "__main__":
    main()
