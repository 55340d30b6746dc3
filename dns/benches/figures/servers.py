"""Starts and ends the servers that are compared, each on free ports of loopback, and reads what the kernel says of them."""
import os
import resource
import signal
import socket
import subprocess
import time

import zones

SERVER_CPU, LOAD_CPU = "1", "0"


def free_port():
    """A port that nobody has, neither of UDP nor of TCP."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            try:
                udp.bind(tcp.getsockname())
            except OSError:
                continue
            return tcp.getsockname()[1]


def more_descriptors():
    """A thousand connections need more descriptors than a shell gives."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 8192 if most == resource.RLIM_INFINITY else min(8192, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


class Server:
    """A process and its children. `probe` is a packet that it has an answer to."""

    def __init__(self, name, command, port, log, probe):
        self.name, self.port = name, port
        self.log = open(log, "w+")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT, preexec_fn=more_descriptors)
        self.await_answer(probe)

    def await_answer(self, probe):
        end = time.monotonic() + 30
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            client.settimeout(0.2)
            while time.monotonic() < end and self.process.poll() is None:
                try:
                    client.sendto(probe, ("127.0.0.1", self.port))
                    answer = client.recv(4096)
                    if answer[3] & 15 == 0 and answer[7] > 0:
                        return
                except OSError:
                    pass
                time.sleep(0.05)
        self.log.seek(0)
        told = self.log.read()
        self.stop()
        raise SystemExit(f"{self.name} does not answer:\n{told}")

    def pids(self):
        found, at = [self.process.pid], 0
        while at < len(found):
            for task in tasks(found[at]):
                found += map(int, read(f"{task}/children").split())
            at += 1
        return found

    def pin(self, cpus=SERVER_CPU):
        for pid in self.pids():
            subprocess.run(["taskset", "-acp", cpus, str(pid)], stdout=subprocess.DEVNULL, check=True)

    def cpu_s(self):
        """Processor time of all its threads, in user space and in the kernel."""
        return sum(int((read(f"{task}/schedstat") or "0").split()[0]) for pid in self.pids() for task in tasks(pid)) / 1e9

    def account(self, line):
        """A line of the kernel's account of its memory, in megabytes."""
        rows = read(f"/proc/{self.process.pid}/status").splitlines()
        return next(int(row.split()[1]) for row in rows if row.startswith(line)) / 1000

    def forget_peak(self):
        with open(f"/proc/{self.process.pid}/clear_refs", "w") as file:
            file.write("5")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def tasks(pid):
    try:
        return [f"/proc/{pid}/task/{task}" for task in os.listdir(f"/proc/{pid}/task")]
    except FileNotFoundError:
        return []


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    return path


def lifeboat(binary, folder, configuration, probe):
    """`lifeboat dns` with a configuration, in which PORT stands for the port."""
    port = free_port()
    path = write(f"{folder}/lifeboat/dns.yaml", configuration.replace("PORT", str(port)))
    command = [binary, "dns", "--config", path, "--state", f"{folder}/lifeboat/state"]
    return Server("lifeboat", command, port, f"{folder}/lifeboat/log", probe)


def echo(binary, folder):
    port = free_port()
    return Server("echo", [binary, str(port)], port, f"{folder}/echo.log", zones.PROBE)


def gdnsd(folder, zone):
    port, own = free_port(), f"{folder}/gdnsd"
    write(f"{own}/zones/{zones.ORIGIN}", read(zone))
    for needed in ("run", "state"):
        os.makedirs(f"{own}/{needed}", exist_ok=True)
    write(f"{own}/config", f"options => {{ listen => [ 127.0.0.1:{port} ], udp_threads => 1, tcp_threads => 1,"
          f" run_dir => {own}/run, state_dir => {own}/state, zones_default_ttl => 5 }}\n")
    return Server("gdnsd", ["gdnsd", "-c", own, "start"], port, f"{own}/log", zones.PROBE)


def knot(folder, zone):
    port, own = free_port(), f"{folder}/knot"
    path = write(f"{own}/knot.conf", f"""server:
    listen: 127.0.0.1@{port}
    rundir: {own}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
    tcp-max-clients: 2000
    tcp-io-timeout: 10000
    tcp-idle-timeout: 60
database:
    storage: {own}
zone:
  - domain: {zones.ORIGIN}
    file: {zone}
    journal-content: none
    zonefile-sync: -1
""")
    return Server("knot", ["knotd", "-c", path], port, f"{own}/log", zones.PROBE)


def nsd(folder, zone):
    port, own = free_port(), f"{folder}/nsd"
    path = write(f"{own}/nsd.conf", f"""server:
    ip-address: 127.0.0.1@{port}
    server-count: 1
    username: ""
    chroot: ""
    zonesdir: "{own}"
    database: ""
    pidfile: "{own}/pid"
    xfrdfile: "{own}/xfrd.state"
    zonelistfile: "{own}/zone.list"
    rrl-ratelimit: 0
remote-control:
    control-enable: no
zone:
    name: {zones.ORIGIN}
    zonefile: {zone}
""")
    return Server("nsd", ["nsd", "-d", "-c", path], port, f"{own}/log", zones.PROBE)
