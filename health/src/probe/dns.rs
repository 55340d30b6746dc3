//! The DNS check: one query over UDP each T, from a port and with an id of its own (RFC 5452).

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RecordType as Type};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::net::UdpSocket;

use super::attempt::Attempt;
use super::error::classify;
use super::wait::Waited;
use super::{Failure, Took};
use crate::check::{Rcode, RecordType};
use crate::detector::Phase;
use crate::evidence::Hard;

/// Answers are asked for without EDNS, so they are no longer than this (RFC 1035 §4.2.1).
const MOST_ANSWER_BYTES: usize = 512;

pub(super) struct DnsTarget {
    at: SocketAddr,
    query: Option<Query>,
    rcode: Rcode,
    answer: Option<String>,
    random: SystemRandom,
}

impl DnsTarget {
    pub(super) fn new(
        at: SocketAddr,
        name: &str,
        record_type: RecordType,
        rcode: Rcode,
        answer: Option<String>,
    ) -> DnsTarget {
        let absolute = |name: Name| {
            let mut name = name;
            name.set_fqdn(true);
            Query::query(name, wire_type(record_type))
        };
        DnsTarget {
            at,
            query: Name::from_ascii(name).ok().map(absolute),
            rcode,
            answer,
            random: SystemRandom::new(),
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.at
    }

    /// The message and its id.
    fn ask(&self) -> Option<(u16, Vec<u8>)> {
        let mut id = [0; 2];
        self.random.fill(&mut id).ok()?;
        let id = u16::from_be_bytes(id);
        let mut message = Message::new(id, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = true;
        message.add_query(self.query.clone()?);
        Some((id, message.to_vec().ok()?))
    }

    /// What is wrong with an answer; `None` for what answers another question.
    fn judge(&self, id: u16, bytes: &[u8]) -> Option<Result<(), String>> {
        let message = Message::from_vec(bytes).ok()?;
        let ours = message.metadata.id == id
            && message.metadata.message_type == MessageType::Response
            && message.queries.first() == self.query.as_ref();
        if !ours {
            return None;
        }
        let rcode = u16::from(message.metadata.response_code);
        if rcode != self.rcode.code() {
            let wanted = self.rcode.name();
            return Some(Err(format!("the response code is {rcode}, not {wanted}")));
        }
        let Some(wanted) = &self.answer else {
            return Some(Ok(()));
        };
        let same = |text: String| {
            text.trim_end_matches('.')
                .eq_ignore_ascii_case(wanted.trim_end_matches('.'))
        };
        if message.answers.iter().any(|record| same(record.data.to_string())) {
            Some(Ok(()))
        } else {
            Some(Err(format!(
                "none of {} answers is {wanted}",
                message.answers.len()
            )))
        }
    }
}

pub(super) async fn probe(target: &DnsTarget, attempt: &Attempt) -> Result<(), Failure> {
    let Some((id, question)) = target.ask() else {
        attempt.tell("the question cannot be written");
        return Err(Failure::Unusable);
    };
    let exchange = async {
        let any: SocketAddr = if target.at.is_ipv4() {
            (Ipv4Addr::UNSPECIFIED, 0).into()
        } else {
            (Ipv6Addr::UNSPECIFIED, 0).into()
        };
        let socket = UdpSocket::bind(any).await?;
        socket.connect(target.at).await?;
        socket.send(&question).await?;
        let mut bytes = [0; MOST_ANSWER_BYTES];
        loop {
            let length = socket.recv(&mut bytes).await?;
            if let Some(judged) = target.judge(id, bytes.get(..length).unwrap_or_default()) {
                return Ok::<_, io::Error>(judged);
            }
        }
    };
    match attempt.wait(Phase::Warm, exchange).await? {
        Waited::InTime(Ok(Ok(())), took) => attempt.good(Took {
            first_byte: Some(took),
            ..Took::default()
        }),
        Waited::InTime(Ok(Err(problem)), _) => {
            attempt.tell(problem);
            attempt.miss(Hard::NONE);
        }
        Waited::InTime(Err(error), _) => return Err(classify(&error)),
        Waited::Late(Ok(_), took) => attempt.learn_late(Phase::Warm, took),
        Waited::Late(Err(_), _) => {}
    }
    Ok(())
}

fn wire_type(record_type: RecordType) -> Type {
    match record_type {
        RecordType::A => Type::A,
        RecordType::Aaaa => Type::AAAA,
        RecordType::Caa => Type::CAA,
        RecordType::Cname => Type::CNAME,
        RecordType::Https => Type::HTTPS,
        RecordType::Mx => Type::MX,
        RecordType::Ns => Type::NS,
        RecordType::Ptr => Type::PTR,
        RecordType::Soa => Type::SOA,
        RecordType::Srv => Type::SRV,
        RecordType::Svcb => Type::SVCB,
        RecordType::Txt => Type::TXT,
    }
}
