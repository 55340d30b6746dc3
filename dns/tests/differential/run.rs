//! One comparison: zones and queries from a seed, four servers, every reply against ours.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use lifeboat_dns::{Server, ServerConfig, SnapshotInput, Stamp, zonefile};

use super::exchange::{Client, Sent};
use super::known::{Case, KNOWN};
use super::name::Labels;
use super::peer::Peer;
use super::question::Question;
use super::reply::{self, Reply, TC};
use super::zone::Zone;

/// Queries under way at a time: less than any socket buffer takes.
const BATCH: usize = 64;
/// Differences printed before a run gives up.
const SHOWN: usize = 12;

/// The zones of one seed.
pub(crate) struct Round {
    seed: u64,
    /// By apex.
    zones: BTreeMap<Vec<u8>, Zone>,
    /// Their master files, in the same order.
    texts: Vec<String>,
}

impl Round {
    pub(crate) fn draw(seed: u64, count: usize) -> Round {
        let mut rng = Rng::with_seed(seed);
        let mut zones = BTreeMap::new();
        for number in 0..count {
            let apex = Labels::of(&format!("z{number}.Test").to_ascii_lowercase());
            // RFC 2181 §6: a zone inside another, both ours.
            let inner: Vec<Labels> = if number % 5 == 0 {
                vec![apex.below(b"inner".to_vec())]
            } else {
                Vec::new()
            };
            for apex in &inner {
                zones.insert(apex.wire(), Zone::draw(apex.clone(), Vec::new(), &mut rng));
            }
            zones.insert(apex.wire(), Zone::draw(apex, inner, &mut rng));
        }
        let texts = zones.values().map(|zone| zone.text(&mut rng)).collect();
        Round { seed, zones, texts }
    }

    /// Writes the master files, `z0` and so on.
    pub(crate) fn write(&self, folder: &Path) {
        for (number, text) in self.texts.iter().enumerate() {
            fs::write(folder.join(format!("z{number}")), text).unwrap();
        }
    }

    fn apexes(&self) -> Vec<Labels> {
        self.zones.values().map(|zone| zone.apex.clone()).collect()
    }

    /// Our server with the zones, read from their files.
    pub(crate) fn serve(&self, folder: &Path) -> Server {
        let mut config = ServerConfig::new(
            "ours",
            [SocketAddr::from((Ipv4Addr::LOCALHOST, 0))],
            folder.join("state"),
        );
        config.start_grace = Duration::ZERO;
        let server = Server::start(config).unwrap();
        let mut files = Vec::new();
        for (number, apex) in self.apexes().iter().enumerate() {
            let file = folder.join(format!("z{number}"));
            let apex = zonefile::parse_name(&reply::text(&apex.wire())).unwrap();
            let reading = zonefile::read(&apex, &file, &mut |path| fs::read(path));
            let zone = reading.zone.unwrap_or_else(|| {
                let text = fs::read_to_string(&file).unwrap_or_default();
                panic!("seed {}: {:?}\n{text}", self.seed, reading.problems)
            });
            files.push(Arc::new(zone));
        }
        let stamp = Stamp {
            fleet_uid: "fleet".to_owned(),
            epoch: 1,
            seq: 1,
        };
        let applied = server
            .apply(SnapshotInput {
                stamp,
                files,
                ..SnapshotInput::default()
            })
            .unwrap();
        assert!(
            applied.rejected.is_empty(),
            "seed {}: {:?}",
            self.seed,
            applied.rejected
        );
        server
    }
}

/// What the servers say to the same queries is compared; returns how many different queries there were.
#[expect(clippy::disallowed_methods, reason = "tells how long it took")]
pub(crate) fn compare(seed: u64, zones: usize, queries_a_zone: usize) -> usize {
    let began = std::time::Instant::now();
    let home = tempfile::tempdir().unwrap();
    let round = Round::draw(seed, zones);
    round.write(home.path());
    let server = round.serve(home.path());
    let apexes = round.apexes();
    let peers = Peer::ALL.map(|peer| (peer, peer.start(home.path(), "all", &apexes)));
    let mut clients: Vec<(Peer, Client)> = peers
        .iter()
        .map(|(peer, daemon)| (*peer, Client::new(daemon.address)))
        .collect();
    let mut ours = Client::new(server.local_addrs()[0]);
    let mut rng = Rng::with_seed(seed ^ 0x5eed);
    let mut tally = Tally::default();
    for zone in round.zones.values() {
        let mut seen = BTreeSet::new();
        let mut questions = Vec::new();
        // A small zone has only so many different questions.
        for _ in 0..queries_a_zone * 4 {
            let question = Question::draw(zone, &mut rng);
            if seen.insert(question.packet(0)) {
                questions.push(question);
            }
            if questions.len() == queries_a_zone {
                break;
            }
        }
        for batch in questions.chunks(BATCH) {
            let sent = |tcp: bool| -> Vec<Sent> {
                let ids = 1_u16..;
                ids.zip(batch)
                    .map(|(id, question)| Sent {
                        id,
                        packet: question.packet(id),
                        tcp: tcp || question.tcp,
                    })
                    .collect()
            };
            let (plain, over_tcp) = (sent(false), sent(true));
            // All servers work at the same time.
            let (own, whole, theirs) = thread::scope(|scope| {
                let asked: Vec<_> = clients
                    .iter_mut()
                    .map(|(peer, client)| (*peer, scope.spawn(|| client.ask(&plain))))
                    .collect();
                let (own, whole) = (ours.ask(&plain), ours.ask(&over_tcp));
                let theirs = asked
                    .into_iter()
                    .map(|(peer, asked)| (peer, asked.join().unwrap()));
                (own, whole, theirs.collect::<Vec<_>>())
            });
            for (at, question) in batch.iter().enumerate() {
                let (own, whole) = (
                    own[at].as_deref().unwrap_or_default(),
                    whole[at].as_deref().unwrap_or_default(),
                );
                tally.asked += 1;
                let Some(own) = tally.read_own(question, own, whole) else {
                    continue;
                };
                for (peer, answers) in &theirs {
                    let Some(packet) = &answers[at] else { continue };
                    let case = Case {
                        question,
                        whole: whole.len(),
                        zones: &round.zones,
                    };
                    tally.judge(&case, *peer, &own, packet);
                }
            }
            for (peer, answers) in theirs {
                let open: Vec<&Question> = batch
                    .iter()
                    .zip(answers)
                    .filter(|(_, answer)| answer.is_none())
                    .map(|(question, _)| question)
                    .collect();
                if !open.is_empty() {
                    let alone = silent_alone(peer, home.path(), &apexes, &open);
                    tally.silent(peer, &open, alone);
                    // It would be waited for again and again.
                    clients.retain(|(other, _)| *other != peer);
                }
            }
        }
    }
    eprintln!(
        "seed {seed}: {} zones, {} queries to each of 4 servers in {:.1} s",
        round.zones.len(),
        tally.asked,
        began.elapsed().as_secs_f64()
    );
    for (what, count) in &tally.used {
        eprintln!("  {count:6}  {what}");
    }
    server.stop();
    if !tally.failures.is_empty() {
        let shown: Vec<String> = tally
            .failures
            .values()
            .take(SHOWN)
            .map(|(count, text)| format!("{count} times: {text}"))
            .collect();
        panic!(
            "LIFEBOAT_SEED={seed}: {} kinds of difference that no entry of known.rs explains; the zones are in {}\n{}",
            tally.failures.len(),
            home.keep().display(),
            shown.join("\n")
        );
    }
    tally.asked
}

/// The first of queries that a server does not answer when it has just been started and gets them one by one.
fn silent_alone<'a>(
    peer: Peer,
    folder: &Path,
    apexes: &[Labels],
    questions: &[&'a Question],
) -> Option<&'a Question> {
    let daemon = peer.start(folder, "alone", apexes);
    let mut client = Client::new(daemon.address);
    questions.iter().copied().find(|question| {
        let sent = Sent {
            id: 1,
            packet: question.packet(1),
            tcp: question.tcp,
        };
        client.ask(&[sent]).iter().any(Option::is_none)
    })
}

#[derive(Default)]
struct Tally {
    asked: usize,
    /// Replies that an entry of the list had to settle, by peer and entry.
    used: BTreeMap<String, usize>,
    /// By kind, how many there were and the first of them.
    failures: BTreeMap<String, (usize, String)>,
}

impl Tally {
    fn fail(&mut self, kind: String, text: impl FnOnce() -> String) {
        self.failures.entry(kind).or_insert_with(|| (0, text())).0 += 1;
    }

    /// Our reply, if it is sound in itself: no record twice (RFC 2181 §5), within the size, and truncated only where it has
    /// to be, with nothing in it then (RFC 2181 §9).
    fn read_own(&mut self, question: &Question, own: &[u8], whole: &[u8]) -> Option<Reply> {
        let shown = show(question);
        let (Some((reply, repeated)), Some((all, _))) = (reply::read(own), reply::read(whole)) else {
            self.fail("no reply of ours".to_owned(), || {
                format!(
                    "{shown}: no reply of ours that can be read: {}",
                    own.escape_ascii()
                )
            });
            return None;
        };
        let truncated = reply.flags & TC != 0;
        let empty = reply.answer.is_empty() && reply.authority.is_empty() && reply.additional.is_empty();
        let sound = own.len() <= question.limit()
            && repeated == 0
            && if truncated {
                whole.len() > question.limit() && empty
            } else {
                reply.answer == all.answer
                    && reply.authority == all.authority
                    && reply.additional.is_subset(&all.additional)
            };
        if !sound {
            self.fail("unsound".to_owned(), || {
                format!(
                    "{shown}: {} octets, {repeated} records twice:\n{reply}over TCP:\n{all}",
                    own.len()
                )
            });
        }
        Some(reply)
    }

    /// A server that left queries unanswered, and the one among them that it does not answer alone. Knot 3.2 spins for ever over some
    /// large sets with addresses beside them and over some aliases, whatever is asked after: the seed goes on without it.
    fn silent(&mut self, peer: Peer, open: &[&Question], alone: Option<&Question>) {
        match (peer, alone) {
            (Peer::Knot, Some(question)) => {
                let hung = format!("Knot: hangs over {}, and is asked no more", show(question));
                self.used.insert(hung, 1);
            }
            (_, Some(question)) => self.fail(format!("no reply of {peer:?}"), || {
                format!(
                    "{}: {peer:?} gives no reply, also when it is started anew and asked nothing else",
                    show(question)
                )
            }),
            (_, None) => self.fail(format!("no reply of {peer:?}"), || {
                let first = open.first().map(|question| show(question)).unwrap_or_default();
                format!(
                    "{peer:?} left {} queries unanswered, the first {first}; started anew and asked one by one it answers: it fell over \
                     another, or the machine is too slow",
                    open.len()
                )
            }),
        }
    }

    fn judge(&mut self, case: &Case<'_>, peer: Peer, own: &Reply, packet: &[u8]) {
        let Some((theirs, _)) = reply::read(packet) else {
            self.fail(format!("no reply of {peer:?}"), || {
                format!(
                    "{}: {peer:?} gave no reply that can be read: {}",
                    show(case.question),
                    packet.escape_ascii()
                )
            });
            return;
        };
        let (mut ours, mut settled) = (own.clone(), theirs.clone());
        for entry in KNOWN.iter().filter(|entry| entry.peers.contains(&peer)) {
            if ours == settled {
                break;
            }
            let before = (ours.clone(), settled.clone());
            (entry.settle)(case, &mut ours, &mut settled);
            if before != (ours.clone(), settled.clone()) {
                *self
                    .used
                    .entry(format!("{peer:?}: {} ({})", entry.what, entry.why))
                    .or_default() += 1;
            }
        }
        if ours != settled {
            self.fail(kind(peer, &ours, &settled), || {
                format!("{}\n ours:\n{own} {peer:?}:\n{theirs}", show(case.question))
            });
        }
    }
}

/// What two replies differ in, so that one bug is told once.
fn kind(peer: Peer, ours: &Reply, theirs: &Reply) -> String {
    let mut kind = format!("{peer:?}");
    if ours.rcode != theirs.rcode {
        write!(kind, " rcode {} {}", ours.rcode, theirs.rcode).unwrap();
    }
    write!(kind, " flags {:#06x}", ours.flags ^ theirs.flags).unwrap();
    if ours.opt != theirs.opt {
        kind.push_str(" OPT");
    }
    if ours.question != theirs.question {
        kind.push_str(" question");
    }
    for (section, ours, theirs) in [
        ("answer", &ours.answer, &theirs.answer),
        ("authority", &ours.authority, &theirs.authority),
        ("additional", &ours.additional, &theirs.additional),
    ] {
        if ours.difference(theirs).next().is_some() {
            write!(kind, " +{section}").unwrap();
        }
        if theirs.difference(ours).next().is_some() {
            write!(kind, " -{section}").unwrap();
        }
    }
    kind
}

fn show(question: &Question) -> String {
    let Question {
        qname,
        kind,
        flags,
        edns,
        tcp,
    } = question;
    let (name, kind) = (reply::text(qname), super::data::mnemonic(*kind));
    format!(
        "{name} {kind} flags {flags:#06x} {edns:?}{}",
        if *tcp { " over TCP" } else { "" }
    )
}
