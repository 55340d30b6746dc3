//! Stands between one observer and one consumer; can be cut, and loses and delays what it is told to.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How often it looks whether the test is over, and whether what it holds back is due.
const LOOK_EACH: Duration = Duration::from_millis(200);
const LEAST_WAIT: Duration = Duration::from_millis(1);

/// Hands on datagrams in both directions.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    cut: Arc<AtomicBool>,
    loss_percent: Arc<AtomicU8>,
    delay_ms: Arc<AtomicU64>,
    done: Arc<AtomicBool>,
}

impl Relay {
    #[expect(clippy::disallowed_methods, reason = "a way takes real time")]
    pub(crate) fn start(consumer: SocketAddr) -> Relay {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let relay = Relay {
            address: socket.local_addr().unwrap(),
            cut: Arc::default(),
            loss_percent: Arc::default(),
            delay_ms: Arc::default(),
            done: Arc::default(),
        };
        let (cut, done) = (Arc::clone(&relay.cut), Arc::clone(&relay.done));
        let loss_percent = Arc::clone(&relay.loss_percent);
        let delay_ms = Arc::clone(&relay.delay_ms);
        thread::spawn(move || {
            let (mut bytes, mut observer) = ([0; 2_048], None);
            let mut under_way: VecDeque<(Instant, Vec<u8>, SocketAddr)> = VecDeque::new();
            while !done.load(Ordering::SeqCst) {
                let now = Instant::now();
                while let Some((_, held, to)) = under_way.pop_front_if(|(due, ..)| *due <= now) {
                    let _lost = socket.send_to(&held, to);
                }
                let wait = under_way.front().map_or(LOOK_EACH, |(due, ..)| {
                    due.saturating_duration_since(now).max(LEAST_WAIT)
                });
                socket.set_read_timeout(Some(wait)).unwrap();
                let Ok((length, from)) = socket.recv_from(&mut bytes) else {
                    continue;
                };
                if from != consumer {
                    observer = Some(from);
                }
                let to = if from == consumer {
                    observer
                } else {
                    Some(consumer)
                };
                let lost = fastrand::u8(..100) < loss_percent.load(Ordering::SeqCst);
                if let (Some(to), false) = (to, lost || cut.load(Ordering::SeqCst)) {
                    let delay = Duration::from_millis(delay_ms.load(Ordering::SeqCst));
                    under_way.push_back((Instant::now() + delay, bytes[..length].to_vec(), to));
                }
            }
        });
        relay
    }

    pub(crate) fn cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::SeqCst);
    }

    /// From now on, each way.
    #[allow(dead_code, reason = "not for benchmarks")]
    pub(crate) fn delay(&self, delay: Duration) {
        let ms = u64::try_from(delay.as_millis()).unwrap();
        self.delay_ms.store(ms, Ordering::SeqCst);
    }

    /// From now on, each way.
    pub(crate) fn lose(&self, percent: u8) {
        self.loss_percent.store(percent, Ordering::SeqCst);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.done.store(true, Ordering::SeqCst);
    }
}
