//! Stands between one observer and one consumer; can be cut, and loses what it is told to.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread;
use std::time::Duration;

/// Hands on datagrams in both directions.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    cut: Arc<AtomicBool>,
    loss_percent: Arc<AtomicU8>,
    done: Arc<AtomicBool>,
}

impl Relay {
    pub(crate) fn start(consumer: SocketAddr) -> Relay {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        // Only so that the thread ends with the test.
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let relay = Relay {
            address: socket.local_addr().unwrap(),
            cut: Arc::default(),
            loss_percent: Arc::default(),
            done: Arc::default(),
        };
        let (cut, done) = (Arc::clone(&relay.cut), Arc::clone(&relay.done));
        let loss_percent = Arc::clone(&relay.loss_percent);
        thread::spawn(move || {
            let (mut bytes, mut observer) = ([0; 2_048], None);
            while !done.load(Ordering::SeqCst) {
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
                    let _lost = socket.send_to(&bytes[..length], to);
                }
            }
        });
        relay
    }

    pub(crate) fn cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::SeqCst);
    }

    /// From now on, each way.
    #[allow(dead_code, reason = "for benchmarks")]
    pub(crate) fn lose(&self, percent: u8) {
        self.loss_percent.store(percent, Ordering::SeqCst);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.done.store(true, Ordering::SeqCst);
    }
}
