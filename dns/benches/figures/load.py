"""Drives servers with dnsperf and reads what it tells."""
import re
import subprocess

from servers import LOAD_CPU


class Run:
    """What one dnsperf came to."""

    def __init__(self, told):
        number = lambda pattern: float(re.search(pattern, told)[1])
        try:
            self.sent = int(number(r"Queries sent:\s+(\d+)"))
            self.done = int(number(r"Queries completed:\s+(\d+)"))
            self.lost = int(number(r"Queries lost:\s+(\d+)"))
            self.per_s = number(r"Queries per second:\s+([\d.]+)")
        except TypeError:
            raise SystemExit(f"dnsperf tells:\n{told}")
        codes = re.search(r"Response codes:\s+(.*)", told)
        self.codes = dict(re.findall(r"([A-Z]+) (\d+)", codes[1])) if codes else {}
        slowest = re.search(r"Average Latency \(s\):.*max ([\d.]+)\)", told)
        self.slowest_ms = float(slowest[1]) * 1000 if slowest else 0.0


def start(server, *arguments):
    command = ["taskset", "-c", LOAD_CPU, "dnsperf", "-s", "127.0.0.1", "-p", str(server.port), "-T", "1", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process):
    return Run(process.communicate()[0])


def udp(server, queries, seconds):
    """As fast as one thread asks, 500 queries at a time; also processor microseconds of the server a query."""
    server.pin()
    before = server.cpu_s()
    run = finish(start(server, "-B", "-d", queries, "-l", str(seconds), "-c", "16", "-q", "500"))
    run.cpu_us = (server.cpu_s() - before) / max(run.done, 1) * 1e6
    return run


def tcp(server, queries, seconds, clients, connections):
    """The same over TCP: clients with addresses of their own, each with so many connections."""
    server.pin()
    before = server.cpu_s()
    arguments = ["-m", "tcp", "-B", "-d", queries, "-l", str(seconds), "-c", str(connections), "-q", str(connections)]
    runs = [finish(run) for run in
            [start(server, "-a", f"127.0.0.{2 + client}", *arguments) for client in range(clients)]]
    total = runs[0]
    for run in runs[1:]:
        total.sent, total.done = total.sent + run.sent, total.done + run.done
        total.lost, total.per_s = total.lost + run.lost, total.per_s + run.per_s
    total.cpu_us = (server.cpu_s() - before) / max(total.done, 1) * 1e6
    return total
