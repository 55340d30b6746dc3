//! A resolver in a folder of its own that gets `demo.test` from our server, or by way of another, and nothing else from anywhere.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::str::FromStr as _;
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};

use super::upstream::Upstream;
use crate::daemon::Daemon;

const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Resolver {
    daemon: Daemon,
}

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
                address,
                &query("ns.demo.test.", RecordType::A),
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
        Resolver::start("unbound", upstream, server, |address, home, server| {
            let at = home.display();
            let text = format!(
                "server:\n  directory: \"{at}\"\n  chroot: \"\"\n  username: \"\"\n  pidfile: \"{at}/unbound.pid\"\n  use-syslog: no\n  \
                 verbosity: 1\n  interface: {ip}\n  port: {port}\n  do-ip6: no\n  do-daemonize: no\n  access-control: 127.0.0.0/8 allow\n  \
                 do-not-query-localhost: no\n  module-config: \"iterator\"\n  local-zone: \"test.\" nodefault\n  qname-minimisation: yes\n  \
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
        Resolver::start("pdns_recursor", upstream, server, |address, home, server| {
            let at = home.display();
            let text = format!(
                "local-address={}\nlocal-port={}\nsocket-dir={at}\ndaemon=no\nwrite-pid=no\nsetuid=\nsetgid=\nthreads=1\n\
                 dnssec=off\nallow-from=127.0.0.0/8\ndont-query=\nforward-zones=demo.test={}:{}\nsecurity-poll-suffix=\n\
                 root-nx-trust=no\nhint-file=no\n",
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
        let reply = over_udp(self.daemon.address, &query(name, kind), PATIENCE);
        reply.unwrap_or_else(|| {
            panic!(
                "{} does not answer {name} {kind}:\n{}",
                self.name(),
                self.daemon.log()
            )
        })
    }

    pub(crate) fn ask_tcp(&self, name: &str, kind: RecordType) -> Message {
        over_tcp(self.daemon.address, &query(name, kind))
            .unwrap_or_else(|error| panic!("{}: {name} {kind}: {error}\n{}", self.name(), self.daemon.log()))
    }
}

fn query(name: &str, kind: RecordType) -> Vec<u8> {
    let mut message = Message::new(9, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_str(name).unwrap(), kind));
    message.to_vec().unwrap()
}

fn over_udp(server: SocketAddr, packet: &[u8], patience: Duration) -> Option<Message> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
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
