//! The server that a scenario is played on: plans, verdicts and time as the file says, queries over its sockets.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lifeboat_dns::{
    BrokenZone, EndpointInput, GateSink, NameInput, OnAllDown, Server, ServerConfig, ServiceInput,
    SnapshotInput, Stamp, zonefile,
};
use lifeboat_health::{Cell, Family, FleetView, MonoTime, Path as Tested, Verdict, VerdictSink as _};

use super::message::{Query, Reply};
use super::parse::{Expected, Named, State, What};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Asks until each of several possible answers has come.
const ASKS: usize = 500;

pub(crate) struct World {
    server: Server,
    sink: GateSink,
    view: FleetView,
    now_ms: u64,
    plan: SnapshotInput,
    dirty: bool,
    clusters: BTreeMap<String, Vec<IpAddr>>,
    zones: Vec<String>,
    _home: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> World {
        let home = tempfile::tempdir().unwrap();
        let mut config = ServerConfig::new(
            "scenario",
            [SocketAddr::from((Ipv4Addr::LOCALHOST, 0))],
            home.path(),
        );
        config.start_grace = Duration::ZERO;
        config.seed = Some(1);
        let server = Server::start(config).unwrap();
        World {
            sink: server.verdict_sink(),
            server,
            view: FleetView::default(),
            now_ms: 0,
            plan: SnapshotInput {
                stamp: Stamp {
                    fleet_uid: "scenario".to_owned(),
                    epoch: 1,
                    seq: 0,
                },
                ..SnapshotInput::default()
            },
            dirty: false,
            clusters: BTreeMap::new(),
            zones: Vec::new(),
            _home: home,
        }
    }

    pub(crate) fn take(&mut self, what: What) -> Result<(), String> {
        match what {
            What::Zone { name, text } => self.zone(&name, &text),
            What::Broken { name } => {
                self.plan.broken.push(BrokenZone {
                    name,
                    reason: "the scenario says so".to_owned(),
                });
                self.dirty = true;
                Ok(())
            }
            What::Cluster { name, addresses } => {
                self.clusters.insert(name.clone(), addresses);
                self.state(&name, State::Up);
                Ok(())
            }
            What::State { cluster, state } if self.clusters.contains_key(&cluster) => {
                self.apply()?;
                self.state(&cluster, state);
                Ok(())
            }
            What::State { cluster, .. } => Err(format!("no cluster `{cluster}` stands before this")),
            What::Name(named) => self.name(named),
            What::Remove(name) => {
                self.plan.removed.push(name);
                self.dirty = true;
                Ok(())
            }
            What::Time(ms) => {
                self.apply()?;
                // In steps, as the consumer of evidence ticks.
                for _ in 0..ms.div_ceil(100) {
                    self.now_ms += 100;
                    self.tick();
                }
                Ok(())
            }
            What::Ask(query, expected) => {
                self.apply()?;
                self.ask(&query, &expected)
            }
        }
    }

    fn zone(&mut self, name: &str, text: &str) -> Result<(), String> {
        let apex = zonefile::parse_name(name).map_err(|fault| format!("{name}: {fault}"))?;
        let mut source = |_: &Path| Ok(text.as_bytes().to_vec());
        let reading = zonefile::read(&apex, Path::new(name), &mut source);
        let zone = reading.zone.ok_or_else(|| format!("{:?}", reading.problems))?;
        self.plan.files.push(Arc::new(zone));
        self.zones.push(name.trim_end_matches('.').to_owned());
        self.dirty = true;
        Ok(())
    }

    fn name(&mut self, named: Named) -> Result<(), String> {
        let bare = named.name.trim_end_matches('.');
        let within = |zone: &&String| bare == *zone || bare.ends_with(&format!(".{zone}"));
        let zone = self.zones.iter().filter(within).max_by_key(|zone| zone.len());
        let zone = zone
            .ok_or("the name lies in no zone that stands before it")?
            .clone();
        let steer = serde_json::from_value(named.steer).map_err(|error| format!("steer: {error}"))?;
        let mut endpoints = Vec::new();
        for (cluster, weight) in named.clusters {
            let addresses = self
                .clusters
                .get(&cluster)
                .ok_or_else(|| format!("no cluster `{cluster}` stands before this"))?;
            endpoints.push(EndpointInput {
                addresses: addresses.clone(),
                cluster,
                weight,
            });
        }
        let seq = self.plan.stamp.seq + 1;
        self.plan.names.push(NameInput {
            name: bare.to_owned(),
            zone,
            epoch: 1,
            seq,
            ttl: named.ttl_s,
            steer,
            on_all_down: OnAllDown::LastGood,
            degraded_ttl: None,
            https: service("https", named.https)?,
            svcb: service("svcb", named.svcb)?,
            endpoints,
        });
        self.dirty = true;
        Ok(())
    }

    /// Makes a plan of what has been said since the last.
    fn apply(&mut self) -> Result<(), String> {
        if !std::mem::take(&mut self.dirty) {
            return Ok(());
        }
        self.plan.stamp.seq += 1;
        let stamp = self.plan.stamp.clone();
        let broken: Vec<String> = self.plan.broken.iter().map(|zone| zone.name.clone()).collect();
        let plan = std::mem::replace(
            &mut self.plan,
            SnapshotInput {
                stamp,
                ..SnapshotInput::default()
            },
        );
        let applied = self.server.apply(plan).map_err(|refused| refused.to_string())?;
        let told: Vec<String> = applied.rejected.iter().map(ToString::to_string).collect();
        let meant = |told: &String| {
            broken
                .iter()
                .any(|zone| told.contains(zone.trim_end_matches('.')))
        };
        if told.iter().all(meant) {
            self.tick();
            Ok(())
        } else {
            Err(told.join("; "))
        }
    }

    fn state(&mut self, cluster: &str, state: State) {
        let verdict = match state {
            State::Up => Verdict::Up,
            State::Suspect => Verdict::Suspect,
            State::Down => Verdict::Down,
            State::Unknown => Verdict::Unknown,
        };
        for path in [Tested::Traffic, Tested::Control] {
            for family in [Family::V4, Family::V6] {
                let cell = Cell {
                    verdict,
                    positively_healthy: state == State::Up,
                    ..Cell::default()
                };
                self.view.cells.insert((cluster.to_owned(), path, family), cell);
            }
        }
        self.tick();
    }

    fn tick(&mut self) {
        self.sink
            .tick(MonoTime::from_millis(self.now_ms), &[], &self.view);
    }

    fn ask(&self, query: &Query, expected: &Expected) -> Result<(), String> {
        let (reply, one_of) = match expected {
            Expected::Dropped => return self.ask_in_vain(query),
            Expected::Reply { reply, one_of } => (reply, one_of),
        };
        if one_of.is_empty() {
            return compare(&self.send(query)?, reply);
        }
        let mut missing = one_of.clone();
        for _ in 0..ASKS {
            let came = self.send(query)?;
            let [answer] = &came.answer[..] else {
                return Err(format!("answer: has {:?}; one record is meant", came.answer));
            };
            if !one_of.contains(answer) {
                return Err(format!("answer: `{answer}` is not meant"));
            }
            missing.retain(|meant| meant != answer);
            compare(
                &Reply {
                    answer: Vec::new(),
                    ..came
                },
                reply,
            )?;
        }
        if missing.is_empty() {
            Ok(())
        } else {
            Err(format!("answer: {missing:?} did not come in {ASKS} asks"))
        }
    }

    fn send(&self, query: &Query) -> Result<Reply, String> {
        let packet = self.exchange(query)?;
        let question = query.packet.get(12..).unwrap_or_default();
        let end = packet.len().min(12 + question.len());
        if packet.get(..2) != query.packet.get(..2) {
            return Err("the reply has another id".to_owned());
        }
        // RFC 1035 §4.1.2, and case kept: what there is of the question is octet for octet that of the query.
        let counted = packet.get(4..6) == Some(&[0, 1]);
        let length = question
            .iter()
            .position(|octet| *octet == 0)
            .map_or(0, |at| at + 5);
        if counted && packet.get(12..end).and_then(|echo| echo.get(..length)) != question.get(..length) {
            return Err(format!(
                "the question came back changed: {}",
                packet.escape_ascii()
            ));
        }
        Reply::read(&packet)
    }

    fn exchange(&self, query: &Query) -> Result<Vec<u8>, String> {
        let server = self.server.local_addrs()[0];
        if query.tcp {
            return over_tcp(server, &query.packet).map_err(|error| format!("over TCP: {error}"));
        }
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.connect(server).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.send(&query.packet).unwrap();
        let mut buffer = vec![0; 65_535];
        let length = socket
            .recv(&mut buffer)
            .map_err(|error| format!("no reply: {error}"))?;
        buffer.truncate(length);
        Ok(buffer)
    }

    /// A query behind it is answered by the same thread, and what was to be dropped has not been by then.
    fn ask_in_vain(&self, query: &Query) -> Result<(), String> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.connect(self.server.local_addrs()[0]).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut last = Query::parse("behind.test SOA", 0x7e57)?.packet;
        if query.packet.get(..2) == last.get(..2) {
            last[0] ^= 0xff;
        }
        socket.send(&query.packet).unwrap();
        socket.send(&last).unwrap();
        let mut buffer = vec![0; 65_535];
        let length = socket
            .recv(&mut buffer)
            .map_err(|error| format!("no reply: {error}"))?;
        let behind = length >= 2 && buffer.get(..2) == last.get(..2);
        if behind {
            Ok(())
        } else {
            Err("was answered".to_owned())
        }
    }
}

/// Service records as a plan has them.
fn service(field: &str, stated: Option<serde_json::Value>) -> Result<Option<Box<ServiceInput>>, String> {
    let read = |stated| serde_json::from_value(stated).map_err(|error| format!("{field}: {error}"));
    stated.map(read).transpose()
}

fn over_tcp(server: SocketAddr, packet: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = u16::try_from(packet.len()).map_err(std::io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes()[..], packet].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut reply = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut reply)?;
    Ok(reply)
}

fn compare(came: &Reply, meant: &Reply) -> Result<(), String> {
    if came.head != meant.head {
        return Err(format!("replied {}; {} is meant", came.head, meant.head));
    }
    for (section, came, meant) in [
        ("answer", &came.answer, &meant.answer),
        ("authority", &came.authority, &meant.authority),
        ("additional", &came.additional, &meant.additional),
    ] {
        let mut left = came.clone();
        for record in meant {
            match left.iter().position(|other| other == record) {
                Some(at) => drop(left.remove(at)),
                None => return Err(format!("{section}: has not `{record}`, but {came:?}")),
            }
        }
        if let Some(more) = left.first() {
            return Err(format!("{section}: has `{more}` beyond what is meant"));
        }
    }
    if came.opt != meant.opt {
        return Err(format!("OPT: has `{}`; `{}` is meant", came.opt, meant.opt));
    }
    Ok(())
}
