use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::{io, net::SocketAddr};

use hickory_proto::op::{Message, MessageType, Query};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;

use super::*;

/// A name server, and a resolver that asks nobody else.
struct NameServer {
    answers: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    address: SocketAddr,
}

impl NameServer {
    async fn start(answers: bool) -> NameServer {
        let (answers, asked) = (Arc::new(AtomicBool::new(answers)), Arc::new(AtomicUsize::new(0)));
        let (answer, count) = (Arc::clone(&answers), Arc::clone(&asked));
        let address = dns::server(move |mut query: Message| {
            count.fetch_add(1, Ordering::Relaxed);
            if !answer.load(Ordering::Relaxed) {
                return Vec::new();
            }
            query.metadata.message_type = MessageType::Response;
            let name = query.queries[0].name().clone();
            query.add_answer(Record::from_rdata(name, 1, RData::A(A::new(127, 0, 0, 1))));
            vec![query.to_vec().unwrap()]
        })
        .await;
        NameServer {
            answers,
            asked,
            address,
        }
    }

    /// A prober of `http://shop.example:PORT/` that keeps a name for `keep` and gives a lookup up after `patience`.
    fn prober(&self, port: u16, keep: Duration, patience: Duration) -> Arc<Prober> {
        let server = self.address;
        let mut around = Surroundings::new("o", patient(), &ObserverMetrics::default());
        let look_up = move |at: String| {
            let found: std::pin::Pin<Box<dyn Future<Output = _> + Send>> =
                Box::pin(look_up(server, at, patience));
            found
        };
        around.names = Arc::new(Names::new(look_up, keep));
        let check = http(format!("http://shop.example:{port}/"));
        let key = ProberKey::anchor(check.clone(), Family::V4);
        let prober = Prober::new(&key, check.parse(Family::V4).unwrap(), Arc::new(around));
        prober.set_names(vec![NAME.to_owned()]);
        Arc::new(prober)
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

async fn look_up(server: SocketAddr, at: String, patience: Duration) -> io::Result<Vec<SocketAddr>> {
    let (name, port) = at.rsplit_once(':').unwrap();
    let mut query = Message::query();
    query.add_query(Query::query(Name::from_ascii(name).unwrap(), RecordType::A));
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    socket.send_to(&query.to_vec().unwrap(), server).await?;
    let mut bytes = [0; 512];
    let length = tokio::time::timeout(patience, socket.recv(&mut bytes)).await??;
    let addresses = Message::from_vec(&bytes[..length]).unwrap().answers;
    let address = |record: &Record| {
        let RData::A(address) = &record.data else {
            return None;
        };
        Some(SocketAddr::from((address.0, port.parse().ok()?)))
    };
    Ok(addresses.iter().filter_map(address).collect())
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let start = std::time::Instant::now();
    while !holds().await {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn an_address_outlives_its_name_server() {
    let server = Server::start(Manners::Answer(200)).await;
    let names = NameServer::start(true).await;
    let (keep, patience) = (Duration::from_millis(1), Duration::from_secs(3_600));
    let prober = names.prober(server.addr.port(), keep, patience);
    until("a first answer", async || {
        prober.ask(Series::Warm).await.success_streak > 0
    })
    .await;
    names.answers.store(false, Ordering::Relaxed);
    let before = names.asked();
    until("a lookup that hangs", async || {
        prober.ask(Series::Fresh).await;
        names.asked() > before
    })
    .await;
    let (hanging, good) = (names.asked(), prober.around.good.get());
    for _ in 0..20 {
        let row = prober.ask(Series::Fresh).await;
        assert_eq!((row.miss_streak, row.hard), (0, Hard::NONE));
    }
    assert_eq!(prober.around.good.get(), good + 20, "each on a new connection");
    assert_eq!(names.asked(), hanging, "one lookup for all of them");
}

#[tokio::test]
async fn a_name_that_was_never_resolved_says_nothing_of_its_target() {
    let names = NameServer::start(false).await;
    let prober = names.prober(1, Duration::from_millis(1), Duration::from_millis(50));
    for _ in 0..20 {
        prober.ask(Series::Warm).await;
    }
    until("the warning", async || {
        let row = prober.ask(Series::Warm).await;
        assert_eq!((row.miss_streak, row.age_ms), (0, u32::MAX));
        !prober.told().is_empty()
    })
    .await;
    let told = prober.told();
    assert!(told.contains("shop.example was never resolved: "), "{told}");
    assert!(prober.around.unusable.get() >= 20);
}
