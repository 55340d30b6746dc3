//! What observers look at: HTTP servers, each on a loopback address and behind a gate of its own.

use std::net::{Ipv4Addr, SocketAddr};

use lifeboat_chaos::fault::{Gate, GatedListener, GatedStream};
use lifeboat_health::{Check, Family, Path, StatusRange, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// Answers every request at once, on a thread of its own.
pub(crate) struct Site {
    servers: Vec<(Gate, SocketAddr)>,
    _runtime: Runtime,
}

impl Site {
    pub(crate) fn start(servers: usize) -> Site {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("site")
            .enable_all()
            .build()
            .expect("a runtime");
        let within = runtime.enter();
        let start = |n: usize| {
            let gate = Gate::new();
            let [high, low] = u16::try_from(n).expect("fewer servers").to_be_bytes();
            let address = SocketAddr::from((Ipv4Addr::new(127, 64 + high, low, 1), 0));
            let listener = gate.bind(address).expect("a port on loopback");
            let address = listener.local_addr();
            runtime.spawn(serve(listener));
            (gate, address)
        };
        let servers = (0..servers).map(start).collect();
        drop(within);
        Site {
            servers,
            _runtime: runtime,
        }
    }

    pub(crate) fn gate(&self, server: usize) -> &Gate {
        &self.servers[server].0
    }

    pub(crate) fn url(&self, server: usize) -> String {
        format!("http://{}/healthz", self.servers[server].1)
    }

    /// `count` clusters, served in turn by the first `servers`.
    pub(crate) fn targets(&self, count: usize, servers: usize) -> Vec<Target> {
        (0..count)
            .map(|n| Target {
                cluster: cluster(n),
                path: Path::Traffic,
                family: Family::V4,
                check: Check::Http {
                    url: self.url(n % servers),
                    host: None,
                    expect: StatusRange::default(),
                },
                detection: None,
            })
            .collect()
    }
}

pub(crate) fn cluster(n: usize) -> String {
    format!("cluster-{n}")
}

async fn serve(listener: GatedListener) {
    loop {
        let (stream, _) = listener.accept().await;
        tokio::spawn(answer(stream));
    }
}

async fn answer(mut stream: GatedStream) {
    let mut asked = [0; 1_024];
    // A request fits into one segment.
    while let Ok(1..) = stream.read(&mut asked).await {
        if stream.write_all(ANSWER).await.is_err() {
            return;
        }
    }
}
