"""Zones, configurations and queries of the comparison. The same seed gives the same in every run."""
import ipaddress
import random
import struct

ORIGIN = "gslb.example"
NAMES = 1_000
QUERIES = 20_000
NETWORKS = 300_000
CLUSTERS = ("eu", "us", "ap")


def head(origin):
    return f"$ORIGIN {origin}.\n$TTL 5\n@ SOA ns1 admin 1 3600 600 86400 5\n@ NS ns1\n@ NS ns2\nns1 A 127.0.0.1\nns2 A 127.0.0.2\n"


def small():
    """A thousand names with three A records and one AAAA record each."""
    lines = [head(ORIGIN)]
    for name in range(NAMES):
        lines += [f"svc{name} A 10.{part}.{name // 250}.{name % 250 + 1}\n" for part in range(3)]
        lines.append(f"svc{name} AAAA 2001:db8::{name:x}\n")
    return "".join(lines)


def large(names, salt):
    """So many names with one address each, another one for another salt."""
    lines = [head("example.org")]
    for line in range(names):
        # An odd step goes through every number once, in no order.
        name = line * 7_368_787 % names
        number = name + salt
        lines.append(f"host-{name:07} A 10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}\n")
    return "".join(lines)


def configuration(folder):
    """The thousand plain names, and as many that are steered by country and weight between clusters with as many addresses."""
    clusters = "".join(
        f'  - {{name: {name}, addresses: ["10.{part}.0.1", "10.{part}.0.2", "10.{part}.0.3", "2001:db8::{part + 1}"]}}\n'
        for part, name in enumerate(CLUSTERS))
    steer = ("[{health: {}}, {geo: {countries: {eu: [AA, AB, AC, DE], us: [AA, BB, BC, US], ap: [CC]}}},"
             " {weighted: {eu: 70, us: 30, ap: 10}}]")
    names = "".join(f"  - {{name: steer{name}.{ORIGIN}, ttl: 5, clusters: [eu, us, ap], steer: {steer}}}\n"
                    for name in range(NAMES))
    return (f'listen: [{{address: "127.0.0.1:PORT", udpThreads: 1, tcp: true}}]\n'
            f"zones: [{{name: {ORIGIN}, file: {folder}/small.zone}}]\n"
            f"geo: {{networksFiles: [{folder}/networks.csv]}}\nclusters:\n{clusters}names:\n{names}")


def networks():
    """As many networks as a country database has, none like its neighbour."""
    letter = lambda number: chr(ord("A") + number % 26)
    rows = ["prefix,name,asn,country,continent,latitude,longitude\n"]
    for index in range(NETWORKS):
        address = ipaddress.ip_address(index * 14_316 & 0xFFFFFF00)
        rows.append(f"{address}/24,,,{letter(index)}{letter(index // 26)},,,\n")
    return "".join(rows)


def packet(name, kind, subnet=None):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    options = b"" if subnet is None else struct.pack("!HHHBB", 8, 7, 1, 24, 0) + subnet.packed[:3]
    record = b"" if subnet is None else struct.pack("!BHHIH", 0, 41, 1232, 0, len(options)) + options
    return struct.pack("!6H", 7, 0, 1, 0, 0, int(subnet is not None)) + labels + struct.pack("!BHH", 0, kind, 1) + record


PROBE = packet(f"svc1.{ORIGIN}", 1)


def queries(label, chance, ecs=False):
    """Four of five for A, else AAAA, as messages with their lengths in front; with a client subnet, each from another network."""
    messages = []
    for _ in range(QUERIES):
        kind = 1 if chance.random() < 0.8 else 28
        network = ipaddress.ip_address(chance.randrange(NETWORKS) * 14_316 & 0xFFFFFF00) if ecs else None
        messages.append(packet(f"{label(chance)}.{ORIGIN}", kind, network))
    return b"".join(struct.pack("!H", len(message)) + message for message in messages)


def hosts(names, chance):
    """Queries for names of the large zone, as dnsperf reads them."""
    return "".join(f"host-{chance.randrange(names):07}.example.org A\n" for _ in range(200_000))


def write(folder):
    """Everything that does not depend on ports."""
    chance = random.Random(7)
    existing = lambda chance: f"svc{chance.randrange(NAMES)}"
    steered = lambda chance: f"steer{chance.randrange(NAMES)}"
    absent = lambda chance: f"{chance.randrange(1 << 60):x}"
    for name, content in {
        "small.zone": small().encode(),
        "networks.csv": networks().encode(),
        "plain.queries": queries(existing, chance),
        "steered.queries": queries(steered, chance, ecs=True),
        "flood.queries": queries(absent, chance),
    }.items():
        with open(f"{folder}/{name}", "wb") as file:
            file.write(content)
