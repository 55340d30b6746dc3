use std::net::{IpAddr, Ipv4Addr};

use super::sender::Way;
use super::wire::encode_beat;
use super::*;

const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";

fn at(ms: u64) -> MonoTime {
    MonoTime::from_millis(ms)
}

/// An observer that expects `eu-1`, and the folder of the key.
struct Lab {
    heartbeats: Heartbeats,
    agent: Arc<Agent>,
    metrics: ObserverMetrics,
    _folder: tempfile::TempDir,
}

async fn lab() -> Lab {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, KEY).unwrap();
    let metrics = ObserverMetrics::default();
    let heartbeats = Heartbeats::new("o", &metrics);
    let agent = heartbeats.agent("eu-1", Family::V4, path, at(0));
    agent.key.get(MonoClock::new()).await.unwrap();
    Lab {
        heartbeats,
        agent,
        metrics,
        _folder: folder,
    }
}

fn key() -> hmac::Key {
    wire::key(KEY).unwrap()
}

fn from() -> SocketAddr {
    ([127, 0, 0, 1], 5_000).into()
}

impl Lab {
    fn hear(&self, bytes: &[u8], ms: u64) -> Option<Challenge> {
        let answer = self.heartbeats.hear(bytes, from(), at(ms))?;
        Challenge::decode(&answer, &key())
    }

    fn beat(&self, id: (u64, u64), nonce: &Nonce, ms: u64) -> Option<Challenge> {
        self.hear(&encode_beat("eu-1", id, nonce, false, &key()), ms)
    }

    fn missing(&self, ms: u64) -> Option<Hard> {
        self.agent.heard.lock().missing(at(ms), &Profile::fast())
    }

    fn count(&self, result: &'static str) -> u64 {
        let label = ObserverResultLabel {
            observer: "o".into(),
            result,
        };
        self.metrics.heartbeats.get_or_create_owned(&label).get()
    }

    /// The nonce that this boot is given.
    fn nonce(&self, boot: u64) -> Nonce {
        self.beat((boot, 1), &[0; NONCE_BYTES], 0).unwrap().nonce
    }
}

#[tokio::test]
async fn a_beat_counts_once_it_has_the_nonce() {
    let lab = lab().await;
    assert_eq!(lab.missing(500), Some(Hard::NONE), "never heard");
    let nonce = lab.nonce(7);
    assert_eq!(lab.missing(500), Some(Hard::NONE), "only challenged");
    assert_eq!(lab.beat((7, 2), &nonce, 500), None);
    assert_eq!(lab.missing(600), None);
    assert_eq!(lab.missing(1_000), Some(Hard::NONE), "silent since");
    assert_eq!(lab.beat((7, 3), &nonce, 1_100), None);
    assert_eq!(lab.missing(1_150), None);
    assert_eq!((lab.count("accepted"), lab.count("challenged")), (2, 1));
}

#[tokio::test]
async fn no_recording_counts() {
    let lab = lab().await;
    let first = lab.nonce(7);
    let recorded = encode_beat("eu-1", (7, 5), &first, false, &key());
    lab.hear(&recorded, 100);
    assert_eq!(lab.missing(150), None);
    assert_eq!(lab.hear(&recorded, 900), None);
    assert_eq!(lab.missing(900), Some(Hard::NONE), "the same once more");
    lab.beat((7, 4), &first, 900);
    assert_eq!(lab.missing(900), Some(Hard::NONE), "an earlier one");
    assert_eq!(lab.count("replayed"), 2);

    // The agent starts anew; what it sent before is void.
    let second = lab.nonce(8);
    assert_ne!(first, second);
    assert_eq!(lab.beat((8, 1), &second, 1_000), None);
    assert_eq!(lab.missing(1_000), None);
    let later = encode_beat("eu-1", (7, 6), &first, false, &key());
    assert!(lab.hear(&later, 2_000).is_some_and(|c| c.nonce != first));
    assert_eq!(lab.missing(2_000), Some(Hard::NONE));
    assert_eq!(
        lab.beat((8, 2), &second, 2_000),
        None,
        "its own beats go on counting"
    );
    assert_eq!(lab.missing(2_000), None);

    // Another observer, and this one after a restart, gave other nonces.
    let other = self::lab().await;
    assert!(other.hear(&recorded, 100).is_some_and(|c| c.nonce != first));
    assert_eq!(other.missing(500), Some(Hard::NONE));
}

#[tokio::test]
async fn strangers_are_not_answered() {
    let lab = lab().await;
    let forged = wire::key(&[b'x'; 32]).unwrap();
    assert_eq!(
        lab.hear(&encode_beat("eu-1", (7, 1), &[0; 16], false, &forged), 0),
        None
    );
    assert_eq!(
        lab.hear(&encode_beat("eu-2", (7, 1), &[0; 16], false, &key()), 0),
        None
    );
    assert_eq!(lab.hear(b"hello", 0), None);
    let beat = encode_beat("eu-1", (7, 1), &[0; 16], false, &key());
    let other_family = (std::net::Ipv6Addr::LOCALHOST, 1).into();
    assert_eq!(lab.heartbeats.hear(&beat, other_family, at(0)), None);
    let counts = ["forged", "unknown", "malformed", "challenged"].map(|result| lab.count(result));
    assert_eq!(counts, [1, 2, 1, 0]);
}

#[tokio::test]
async fn stopping_is_hard_evidence_until_the_agent_is_back() {
    let lab = lab().await;
    let nonce = lab.nonce(7);
    lab.beat((7, 1), &nonce, 100);
    lab.hear(&encode_beat("eu-1", (7, 2), &nonce, true, &key()), 200);
    assert_eq!(lab.missing(200), Some(Hard::STOPPING));
    assert_eq!(lab.missing(60_000), Some(Hard::STOPPING));
    let nonce = lab.nonce(8);
    lab.beat((8, 2), &nonce, 61_000);
    assert_eq!(lab.missing(61_000), None);
}

#[tokio::test]
async fn an_agent_that_nobody_asks_for_is_forgotten() {
    let Lab {
        heartbeats,
        agent,
        _folder,
        ..
    } = lab().await;
    drop(agent);
    let path = _folder.path().join("key");
    let _other = heartbeats.agent("eu-2", Family::V4, path, at(0));
    assert_eq!(heartbeats.agents.lock().len(), 1);
}

#[test]
fn parameters_of_an_agent() {
    let to = vec![from()];
    let interval = Duration::from_millis(100);
    let message = |agent, key: &[u8], to| match HeartbeatSender::new(agent, key, to, interval) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    assert_eq!(message("eu-1", KEY, to.clone()), "");
    assert!(message("", KEY, to.clone()).contains("1 to 63"));
    assert!(message("eu-1", b"short", to).contains("agent eu-1: its key: a key of 5 bytes"));
    assert!(message("eu-1", KEY, Vec::new()).contains("0 observers"));
}

/// The address a beat came from.
async fn beat_from(observer: &tokio::net::UdpSocket) -> IpAddr {
    let mut bytes = [0; 256];
    let heard = tokio::time::timeout(Duration::from_secs(20), observer.recv_from(&mut bytes)).await;
    let (length, from) = heard.unwrap().unwrap();
    assert!(Beat::decode(&bytes[..length]).is_some_and(|beat| beat.agent == "eu-1"));
    from.ip()
}

/// Each second, where the system sends on from an address that is no longer the right one and tells nothing.
#[tokio::test]
async fn beats_come_from_the_address_that_the_system_would_choose() {
    let observer = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let to = observer.local_addr().unwrap();
    let before = tokio::net::UdpSocket::bind("127.0.0.2:0").await.unwrap();
    before.connect(to).await.unwrap();
    before.writable().await.unwrap();
    let mut sender = HeartbeatSender::new("eu-1", KEY, vec![to], Duration::from_millis(1)).unwrap();
    sender.look = Duration::from_millis(50);
    let stop = CancellationToken::new();
    let token = stop.clone();
    let sending = tokio::spawn(async move { sender.send_to(Way::to(to), before, token).await });
    let (first, second) = (IpAddr::from([127, 0, 0, 2]), IpAddr::from([127, 0, 0, 1]));
    while beat_from(&observer).await == first {}
    for _ in 0..100 {
        assert_eq!(beat_from(&observer).await, second, "and not from the first again");
    }
    stop.cancel();
    sending.await.unwrap();
}

/// What is sent from an address that this host has no more is an error, and the next beat comes from the new one.
#[tokio::test]
#[ignore = "changes the addresses of its network namespace: just namespaces"]
async fn beats_go_on_from_a_new_address() {
    let ip = |words: &str| {
        let done = std::process::Command::new("ip").args(words.split(' ')).output();
        let done = done.unwrap();
        assert!(done.status.success(), "ip {words}: {done:?}");
    };
    let move_to = |address: &str| {
        ip(&format!("address add {address}/32 dev lo"));
        ip(&format!("route replace local 10.214.0.9/32 dev lo src {address}"));
    };
    ip("link set lo up");
    move_to("10.214.0.2");
    // It is reached by an address that is only routed here: towards one of its own a host chooses that one.
    let observer = tokio::net::UdpSocket::bind("0.0.0.0:0").await.unwrap();
    let to = (
        Ipv4Addr::new(10, 214, 0, 9),
        observer.local_addr().unwrap().port(),
    )
        .into();
    let mut sender = HeartbeatSender::new("eu-1", KEY, vec![to], Duration::from_millis(10)).unwrap();
    // Only the errors show it.
    sender.look = Duration::from_secs(3_600);
    let stop = CancellationToken::new();
    let sending = tokio::spawn(sender.run(stop.clone()));
    assert_eq!(beat_from(&observer).await, IpAddr::from([10, 214, 0, 2]));
    move_to("10.214.0.3");
    ip("address del 10.214.0.2/32 dev lo");
    while beat_from(&observer).await != IpAddr::from([10, 214, 0, 3]) {}
    stop.cancel();
    sending.await.unwrap();
}

/// One that this host has no way to, before one that it has.
#[tokio::test]
async fn observers_within_reach_hear_what_others_cannot() {
    let near = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let observers = vec!["[fe80::1]:7444".parse().unwrap(), near.local_addr().unwrap()];
    let sender = HeartbeatSender::new("eu-1", KEY, observers, Duration::from_millis(10)).unwrap();
    let stop = CancellationToken::new();
    let sending = tokio::spawn(sender.run(stop.clone()));
    let mut bytes = [0; 256];
    let heard = tokio::time::timeout(Duration::from_secs(20), near.recv(&mut bytes)).await;
    let length = heard.unwrap().unwrap();
    assert!(Beat::decode(&bytes[..length]).is_some_and(|beat| beat.agent == "eu-1"));
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(20), sending)
        .await
        .unwrap()
        .unwrap();
}
