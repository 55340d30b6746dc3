//! NSD, Knot and BIND with the generated zones, each told to answer as briefly as it can and to lint nothing: what they
//! refuse to load would not be compared.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::exchange::{Client, Sent};
use super::name::Labels;
use super::question::Question;
use super::reply;
use crate::daemon::Daemon;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Peer {
    Nsd,
    Knot,
    Bind,
}

/// Writes the configuration of a server for an address, in its folder, with zones and their files; gives the command.
type Configure = fn(SocketAddr, &Path, &[(String, String)]) -> Vec<String>;

impl Peer {
    pub(crate) const ALL: [Peer; 3] = [Peer::Nsd, Peer::Knot, Peer::Bind];

    /// Starts the server with the zones of `z0`, `z1`, … in `folder`; returns when it answers for all of them. Each start has a name of
    /// its own.
    pub(crate) fn start(self, folder: &Path, start: &str, zones: &[Labels]) -> Daemon {
        let (name, configure): (_, Configure) = match self {
            Peer::Nsd => ("nsd", nsd),
            Peer::Knot => ("knot", knot),
            Peer::Bind => ("named", bind),
        };
        let files: Vec<(String, String)> = zones
            .iter()
            .enumerate()
            .map(|(number, apex)| {
                (
                    reply::text(&apex.wire()),
                    folder.join(format!("z{number}")).display().to_string(),
                )
            })
            .collect();
        let home = folder.join(format!("{name}-{start}"));
        fs::create_dir(&home).unwrap();
        let ready = |address| {
            let mut client = Client::new(address);
            zones.iter().all(|apex| {
                let question = Question {
                    qname: apex.wire(),
                    kind: 6,
                    flags: 0,
                    edns: None,
                    tcp: true,
                };
                let sent = [Sent {
                    id: 1,
                    packet: question.packet(1),
                    tcp: true,
                }];
                let packets = client.try_ask(&sent, Duration::from_millis(500));
                let answered = packets.first().and_then(|packet| reply::read(packet.as_deref()?));
                answered.is_some_and(|(reply, _)| reply.rcode == 0 && reply.flags & reply::AA != 0)
            })
        };
        Daemon::start(
            name,
            &home,
            |address, home| configure(address, home, &files),
            ready,
        )
    }
}

fn nsd(address: SocketAddr, home: &Path, zones: &[(String, String)]) -> Vec<String> {
    let at = home.display();
    let mut text = format!(
        "server:\n  ip-address: {}\n  port: {}\n  do-ip6: no\n  server-count: 1\n  username: \"\"\n  chroot: \"\"\n  database: \"\"\n  \
         zonelistfile: {at}/zone.list\n  pidfile: {at}/nsd.pid\n  xfrdfile: {at}/xfrd.state\n  xfrdir: {at}\n  \
         zonesdir: {at}\n  minimal-responses: yes\n  rrl-ratelimit: 0\n  tcp-timeout: 60\nremote-control:\n  control-enable: no\n",
        address.ip(),
        address.port()
    );
    for (apex, file) in zones {
        write!(text, "zone:\n  name: {apex}\n  zonefile: {file}\n").unwrap();
    }
    let file = format!("{at}/nsd.conf");
    fs::write(&file, text).unwrap();
    ["nsd", "-d", "-c", &file].map(str::to_owned).to_vec()
}

fn knot(address: SocketAddr, home: &Path, zones: &[(String, String)]) -> Vec<String> {
    let at = home.display();
    let mut text = format!(
        "server:\n  rundir: {at}\n  listen: {}@{}\n  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n  \
         tcp-idle-timeout: 60\n\
         log:\n - target: stderr\n   any: warning\ndatabase:\n  storage: {at}/db\n\
         template:\n - id: default\n   storage: {at}\n   semantic-checks: off\n   zonefile-sync: -1\n   \
         zonefile-load: whole\n   journal-content: none\nzone:\n",
        address.ip(),
        address.port()
    );
    for (apex, file) in zones {
        write!(text, " - domain: {apex}\n   file: {file}\n").unwrap();
    }
    let file = format!("{at}/knot.conf");
    fs::write(&file, text).unwrap();
    ["knotd", "-c", &file].map(str::to_owned).to_vec()
}

fn bind(address: SocketAddr, home: &Path, zones: &[(String, String)]) -> Vec<String> {
    let at = home.display();
    let mut text = format!(
        "options {{\n directory \"{at}\";\n pid-file \"{at}/named.pid\";\n session-keyfile \"{at}/session.key\";\n \
         lock-file none;\n managed-keys-directory \"{at}\";\n listen-on port {} {{ {}; }};\n listen-on-v6 {{ none; }};\n \
         recursion no;\n dnssec-validation no;\n empty-zones-enable no;\n notify no;\n minimal-responses yes;\n \
         max-udp-size 1232;\n tcp-idle-timeout 600;\n check-names primary ignore;\n check-integrity no;\n check-sibling no;\n \
         check-mx ignore;\n check-mx-cname ignore;\n check-srv-cname ignore;\n check-wildcard no;\n check-spf ignore;\n \
         rrset-order {{ order none; }};\n max-records-per-type 0;\n max-types-per-name 0;\n zero-no-soa-ttl no;\n}};\ncontrols {{ }};\n",
        address.port(),
        address.ip()
    );
    for (apex, file) in zones {
        writeln!(text, "zone \"{apex}\" {{ type primary; file \"{file}\"; }};").unwrap();
    }
    let file = format!("{at}/named.conf");
    fs::write(&file, text).unwrap();
    ["named", "-g", "-4", "-n", "1", "-c", &file]
        .map(str::to_owned)
        .to_vec()
}
