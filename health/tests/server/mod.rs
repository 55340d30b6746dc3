//! An HTTP server on a free port whose manners a test chooses.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test uses its part, and says what failed by failing"
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// How requests are met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manners {
    /// Answer with this status and keep the connection.
    Answer(u16),
    /// Answer 200 after a while.
    Slow(Duration),
    /// Read and say nothing.
    Silent,
    /// Answer 200, then close without having said so.
    CloseAfterAnswer,
    /// Reset the connection instead of answering.
    Reset,
}

pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    pub(crate) connections: Arc<AtomicUsize>,
    manners: watch::Sender<Manners>,
    asked: watch::Receiver<String>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(manners: Manners) -> Server {
        Server::start_at(([127, 0, 0, 1], 0).into(), manners).await
    }

    pub(crate) async fn start_at(addr: SocketAddr, manners: Manners) -> Server {
        Server::start_with(addr, manners, None).await
    }

    /// With TLS where there is an acceptor.
    pub(crate) async fn start_with(addr: SocketAddr, manners: Manners, tls: Option<TlsAcceptor>) -> Server {
        let listener = TcpListener::bind(addr).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let (manners, watched) = watch::channel(manners);
        let (ask, asked) = watch::channel(String::new());
        let counted = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            // Aborting the task drops the set, and with it every connection.
            let mut all = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let (tls, watched, ask) = (tls.clone(), watched.clone(), ask.clone());
                all.spawn(async move {
                    match tls {
                        None => serve(stream, watched, ask).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, watched, ask).await;
                            }
                        }
                    }
                });
                while all.try_join_next().is_some() {}
            }
        });
        Server {
            addr,
            connections,
            manners,
            asked,
            task,
        }
    }

    /// The last request.
    pub(crate) fn asked(&self) -> String {
        self.asked.borrow().clone()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/healthz", self.addr)
    }

    pub(crate) fn set(&self, manners: Manners) {
        self.manners.send_replace(manners);
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Close the listener and every connection; further ones are refused.
    pub(crate) async fn stop(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    manners: watch::Receiver<Manners>,
    ask: watch::Sender<String>,
) {
    loop {
        let Ok(first) = stream.read_u8().await else { return };
        if *manners.borrow() == Manners::Reset {
            // Closing with unread bytes makes the kernel send a reset.
            return;
        }
        let mut request = vec![first];
        while !request.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => request.push(byte),
                Err(_) => return,
            }
        }
        ask.send_replace(String::from_utf8_lossy(&request).into_owned());
        let chosen = *manners.borrow();
        let status = match chosen {
            Manners::Answer(status) => status,
            Manners::CloseAfterAnswer => 200,
            Manners::Slow(wait) => {
                tokio::time::sleep(wait).await;
                200
            }
            Manners::Silent => continue,
            Manners::Reset => return,
        };
        let answer = format!("HTTP/1.1 {status} Tested\r\ncontent-length: 2\r\n\r\nok");
        if stream.write_all(answer.as_bytes()).await.is_err() || chosen == Manners::CloseAfterAnswer {
            return;
        }
    }
}
