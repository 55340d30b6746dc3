//! Sends many queries to one server and collects its answers by id, over UDP and over one TCP connection.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

/// Sends of a query before it counts as unanswered.
const ATTEMPTS: usize = 4;
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) struct Sent {
    pub(crate) id: u16,
    pub(crate) packet: Vec<u8>,
    pub(crate) tcp: bool,
}

pub(crate) struct Client {
    server: SocketAddr,
    udp: UdpSocket,
    tcp: Option<TcpStream>,
}

impl Client {
    pub(crate) fn new(server: SocketAddr) -> Client {
        let udp = UdpSocket::bind((server.ip(), 0)).unwrap();
        udp.connect(server).unwrap();
        Client {
            server,
            udp,
            tcp: None,
        }
    }

    /// The answers in the order of the queries, whose ids are all different; `None` where none came.
    pub(crate) fn ask(&mut self, queries: &[Sent]) -> Vec<Option<Vec<u8>>> {
        let mut answers = vec![None; queries.len()];
        for _ in 0..ATTEMPTS {
            let open: Vec<usize> = (0..queries.len()).filter(|at| answers[*at].is_none()).collect();
            if open.is_empty() {
                break;
            }
            let part: Vec<Sent> = open
                .iter()
                .map(|at| Sent {
                    id: queries[*at].id,
                    packet: queries[*at].packet.clone(),
                    tcp: queries[*at].tcp,
                })
                .collect();
            for (at, answer) in open.into_iter().zip(self.try_ask(&part, PATIENCE)) {
                answers[at] = answer;
            }
        }
        answers
    }

    /// The same with one send a query.
    pub(crate) fn try_ask(&mut self, queries: &[Sent], patience: Duration) -> Vec<Option<Vec<u8>>> {
        let mut by_id = BTreeMap::new();
        let (tcp, udp): (Vec<&Sent>, Vec<&Sent>) = queries.iter().partition(|query| query.tcp);
        self.over_udp(&udp, patience, &mut by_id);
        if !tcp.is_empty() && self.over_tcp(&tcp, patience, &mut by_id).is_none() {
            self.tcp = None;
        }
        queries.iter().map(|query| by_id.remove(&query.id)).collect()
    }

    fn over_udp(&self, queries: &[&Sent], patience: Duration, answers: &mut BTreeMap<u16, Vec<u8>>) {
        self.udp.set_read_timeout(Some(patience)).unwrap();
        for query in queries {
            // A port that is closed says so here; then no answer comes either.
            if self.udp.send(&query.packet).is_err() {
                return;
            }
        }
        let mut buffer = vec![0; 65_535];
        let mut left = queries.len();
        while left > 0 {
            let Ok(length) = self.udp.recv(&mut buffer) else {
                return;
            };
            let id = u16::from_be_bytes([buffer[0], buffer[1]]);
            if queries.iter().any(|query| query.id == id) {
                left -= usize::from(answers.insert(id, buffer[..length].to_vec()).is_none());
            }
        }
    }

    fn over_tcp(
        &mut self,
        queries: &[&Sent],
        patience: Duration,
        answers: &mut BTreeMap<u16, Vec<u8>>,
    ) -> Option<()> {
        let mut stream = match self.tcp.take() {
            Some(stream) => stream,
            None => TcpStream::connect_timeout(&self.server, patience).ok()?,
        };
        stream.set_nodelay(true).ok()?;
        stream.set_read_timeout(Some(patience)).ok()?;
        stream.set_write_timeout(Some(patience)).ok()?;
        let mut framed = Vec::new();
        for query in queries {
            framed.extend_from_slice(&u16::try_from(query.packet.len()).unwrap().to_be_bytes());
            framed.extend_from_slice(&query.packet);
        }
        stream.write_all(&framed).ok()?;
        for _ in queries {
            let mut length = [0; 2];
            stream.read_exact(&mut length).ok()?;
            let mut packet = vec![0; u16::from_be_bytes(length).into()];
            stream.read_exact(&mut packet).ok()?;
            answers.insert(u16::from_be_bytes([*packet.first()?, *packet.get(1)?]), packet);
        }
        self.tcp = Some(stream);
        Some(())
    }
}
