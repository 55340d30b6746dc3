//! A resolver in a folder of its own that gets `demo.test` from our server, or by way of another, and nothing else from anywhere.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::str::FromStr as _;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::opt::{ClientSubnet, EdnsCode, EdnsOption};
use hickory_proto::rr::{Name, RecordType};

use super::upstream::Upstream;
use crate::daemon::Daemon;

const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Resolver {
    daemon: Daemon,
}

/// Who asks a resolver that passes client subnets on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asker {
    /// A client at this loopback address, which says nothing of itself.
    At([u8; 4]),
    /// A forwarder that tells its client's network of 24 bits (RFC 7871).
    Tells([u8; 4]),
}

/// Of the network that is told.
const TOLD_BITS: u8 = 24;

impl Resolver {
    fn start(
        name: &'static str,
        upstream: &Upstream,
        server: SocketAddr,
        configure: impl Fn(SocketAddr, &Path, SocketAddr) -> Vec<String>,
    ) -> Resolver {
        let home = upstream.home.path().join(name);
        fs::create_dir(&home).unwrap();
        let ready = |address| {
            let reply = over_udp(
                Ipv4Addr::LOCALHOST,
                address,
                &query("ns.demo.test.", RecordType::A, None),
                Duration::from_millis(500),
            );
            reply.is_some_and(|reply| {
                reply.metadata.response_code == ResponseCode::NoError && reply.answers.len() == 1
            })
        };
        let daemon = Daemon::start(
            name,
            &home,
            |address, home| configure(address, home, server),
            ready,
        );
        Resolver { daemon }
    }

    /// With every strictness it has: minimised questions, mixed case, nothing below NXDOMAIN.
    pub(crate) fn unbound(upstream: &Upstream, server: SocketAddr) -> Resolver {
        Resolver::unbound_with(upstream, server, "  module-config: \"iterator\"\n")
    }

    /// With client subnets: those that it is told, and else the first 24 bits of its client's address.
    pub(crate) fn unbound_with_subnets(upstream: &Upstream, server: SocketAddr) -> Resolver {
        let settings = "  module-config: \"subnetcache iterator\"\n  send-client-subnet: 127.0.0.1\n";
        Resolver::unbound_with(upstream, server, settings)
    }

    fn unbound_with(upstream: &Upstream, server: SocketAddr, settings: &str) -> Resolver {
        Resolver::start("unbound", upstream, server, |address, home, server| {
            let at = home.display();
            let text = format!(
                "server:\n  directory: \"{at}\"\n  chroot: \"\"\n  username: \"\"\n  pidfile: \"{at}/unbound.pid\"\n  use-syslog: no\n  \
                 verbosity: 1\n  interface: {ip}\n  port: {port}\n  do-ip6: no\n  do-daemonize: no\n  access-control: 127.0.0.0/8 allow\n  \
                 do-not-query-localhost: no\n{settings}  local-zone: \"test.\" nodefault\n  qname-minimisation: yes\n  \
                 qname-minimisation-strict: yes\n  use-caps-for-id: yes\n  harden-below-nxdomain: yes\n  harden-referral-path: no\n  \
                 num-threads: 1\nremote-control:\n  control-enable: no\nstub-zone:\n  name: \"demo.test\"\n  stub-addr: {stub_ip}@{stub_port}\n",
                ip = address.ip(),
                port = address.port(),
                stub_ip = server.ip(),
                stub_port = server.port()
            );
            let file = format!("{at}/unbound.conf");
            fs::write(&file, text).unwrap();
            ["unbound", "-d", "-c", &file].map(str::to_owned).to_vec()
        })
    }

    pub(crate) fn bind(upstream: &Upstream, server: SocketAddr) -> Resolver {
        Resolver::start("named", upstream, server, |address, home, server| {
            let at = home.display();
            let text = format!(
                "options {{\n directory \"{at}\";\n pid-file \"{at}/named.pid\";\n session-keyfile \"{at}/session.key\";\n \
                 lock-file none;\n managed-keys-directory \"{at}\";\n listen-on port {} {{ {}; }};\n listen-on-v6 {{ none; }};\n \
                 recursion yes;\n allow-recursion {{ any; }};\n dnssec-validation no;\n empty-zones-enable no;\n \
                 minimal-responses no;\n}};\ncontrols {{ }};\n\
                 zone \"demo.test\" {{ type forward; forward only; forwarders {{ {} port {}; }}; }};\n",
                address.port(),
                address.ip(),
                server.ip(),
                server.port()
            );
            let file = format!("{at}/named.conf");
            fs::write(&file, text).unwrap();
            ["named", "-g", "-d", "3", "-4", "-n", "1", "-c", &file]
                .map(str::to_owned)
                .to_vec()
        })
    }

    pub(crate) fn pdns(upstream: &Upstream, server: SocketAddr) -> Resolver {
        Resolver::pdns_with(upstream, server, "")
    }

    /// As [`Resolver::unbound_with_subnets`].
    pub(crate) fn pdns_with_subnets(upstream: &Upstream, server: SocketAddr) -> Resolver {
        let settings = "edns-subnet-allow-list=demo.test\necs-add-for=127.0.0.0/8\necs-ipv4-bits=24\n\
                        ecs-ipv4-cache-bits=24\nuse-incoming-edns-subnet=yes\n";
        Resolver::pdns_with(upstream, server, settings)
    }

    fn pdns_with(upstream: &Upstream, server: SocketAddr, settings: &str) -> Resolver {
        Resolver::start("pdns_recursor", upstream, server, |address, home, server| {
            let at = home.display();
            let text = format!(
                "local-address={}\nlocal-port={}\nsocket-dir={at}\ndaemon=no\nwrite-pid=no\nsetuid=\nsetgid=\nthreads=1\n\
                 dnssec=off\nallow-from=127.0.0.0/8\ndont-query=\nforward-zones=demo.test={}:{}\nsecurity-poll-suffix=\n\
                 root-nx-trust=no\nhint-file=no\n{settings}",
                address.ip(),
                address.port(),
                server.ip(),
                server.port()
            );
            fs::write(format!("{at}/recursor.conf"), text).unwrap();
            ["pdns_recursor".to_owned(), format!("--config-dir={at}")].to_vec()
        })
    }

    pub(crate) fn name(&self) -> &'static str {
        self.daemon.name
    }

    /// What it has said.
    pub(crate) fn log(&self) -> String {
        self.daemon.log()
    }

    pub(crate) fn ask(&self, name: &str, kind: RecordType) -> Message {
        self.reply(Ipv4Addr::LOCALHOST, name, kind, None)
    }

    pub(crate) fn ask_as(&self, asker: Asker, name: &str, kind: RecordType) -> Message {
        match asker {
            Asker::At(address) => self.reply(address.into(), name, kind, None),
            Asker::Tells(network) => {
                let told = ClientSubnet::new(network.into(), TOLD_BITS, 0);
                self.reply(Ipv4Addr::LOCALHOST, name, kind, Some(told))
            }
        }
    }

    fn reply(&self, from: Ipv4Addr, name: &str, kind: RecordType, told: Option<ClientSubnet>) -> Message {
        let reply = over_udp(from, self.daemon.address, &query(name, kind, told), PATIENCE);
        reply.unwrap_or_else(|| {
            panic!(
                "{} does not answer {name} {kind}:\n{}",
                self.name(),
                self.daemon.log()
            )
        })
    }

    pub(crate) fn ask_tcp(&self, name: &str, kind: RecordType) -> Message {
        over_tcp(self.daemon.address, &query(name, kind, None))
            .unwrap_or_else(|error| panic!("{}: {name} {kind}: {error}\n{}", self.name(), self.daemon.log()))
    }
}

/// The scope of the client subnet in a reply; `None` without one.
pub(crate) fn scope(reply: &Message) -> Option<u8> {
    let Some(EdnsOption::Subnet(subnet)) = reply.edns.as_ref()?.option(EdnsCode::Subnet) else {
        return None;
    };
    Some(subnet.scope_prefix())
}

fn query(name: &str, kind: RecordType, told: Option<ClientSubnet>) -> Vec<u8> {
    let mut message = Message::new(9, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_str(name).unwrap(), kind));
    if let Some(told) = told {
        let mut edns = Edns::new();
        edns.set_max_payload(1_232);
        edns.options_mut().insert(EdnsOption::Subnet(told));
        message.set_edns(edns);
    }
    message.to_vec().unwrap()
}

fn over_udp(from: Ipv4Addr, server: SocketAddr, packet: &[u8], patience: Duration) -> Option<Message> {
    let socket = UdpSocket::bind((from, 0)).unwrap();
    socket.set_read_timeout(Some(patience)).unwrap();
    socket.connect(server).unwrap();
    socket.send(packet).ok()?;
    let mut buffer = vec![0; 65_535];
    let length = socket.recv(&mut buffer).ok()?;
    Message::from_vec(buffer.get(..length)?).ok()
}

fn over_tcp(server: SocketAddr, packet: &[u8]) -> std::io::Result<Message> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = u16::try_from(packet.len()).map_err(std::io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes()[..], packet].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut reply = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut reply)?;
    Message::from_vec(&reply).map_err(std::io::Error::other)
}
