use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{RData, Record};
use tokio::net::UdpSocket;

use super::*;
use crate::check::{Rcode, RecordType};

/// Answers every query as `answer` says.
pub(super) async fn server(answer: impl Fn(Message) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut bytes = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut bytes).await {
            for reply in answer(Message::from_vec(&bytes[..length]).unwrap()) {
                socket.send_to(&reply, from).await.unwrap();
            }
        }
    });
    address
}

fn with(mut message: Message, code: ResponseCode) -> Message {
    message.metadata.message_type = MessageType::Response;
    message.metadata.response_code = code;
    if code == ResponseCode::NoError {
        let name = message.queries[0].name().clone();
        message.add_answer(Record::from_rdata(name, 30, RData::A(A::new(192, 0, 2, 7))));
    }
    message
}

fn check(address: SocketAddr, rcode: Rcode, answer: Option<&str>) -> Check {
    Check::Dns {
        address,
        name: "shop.example".into(),
        record_type: RecordType::A,
        rcode,
        answer: answer.map(Into::into),
    }
}

#[tokio::test]
async fn codes_and_data_must_be_those_expected() {
    let found = server(|query| vec![with(query, ResponseCode::NoError).to_vec().unwrap()]).await;
    let gone = server(|query| vec![with(query, ResponseCode::NXDomain).to_vec().unwrap()]).await;
    let cases = [
        (check(found, Rcode::NoError, None), ""),
        (check(found, Rcode::NoError, Some("192.0.2.7")), ""),
        (
            check(found, Rcode::NoError, Some("192.0.2.8")),
            "none of 1 answers is 192.0.2.8",
        ),
        (check(found, Rcode::NxDomain, None), "is 0, not NXDOMAIN"),
        (check(gone, Rcode::NxDomain, None), ""),
        (check(gone, Rcode::NoError, None), "is 3, not NOERROR"),
    ];
    for (check, told) in cases {
        let prober = prober_with(patient(), &check, true);
        let row = prober.ask(Series::Warm).await;
        let missed = u16::from(!told.is_empty());
        assert_eq!(
            (row.success_streak, row.miss_streak, row.hard),
            (1 - missed, missed, Hard::NONE),
            "{told}"
        );
        assert!(prober.told().contains(told), "{}", prober.told());
    }
}

/// Datagrams that answer something else are passed over.
#[tokio::test]
async fn answers_to_other_questions_do_not_count() {
    let server = server(|query| {
        let mut other = with(query.clone(), ResponseCode::ServFail);
        other.metadata.id = other.metadata.id.wrapping_add(1);
        let right = with(query, ResponseCode::NoError).to_vec().unwrap();
        vec![b"junk".to_vec(), other.to_vec().unwrap(), right]
    })
    .await;
    let row = prober_with(patient(), &check(server, Rcode::NoError, None), false)
        .ask(Series::Warm)
        .await;
    assert_eq!((row.success_streak, row.miss_streak), (1, 0));
}

#[tokio::test]
async fn silence_is_a_miss_and_a_closed_port_hard_evidence() {
    let silent = server(|_| Vec::new()).await;
    let row = prober(&check(silent, Rcode::NoError, None), false)
        .ask(Series::Warm)
        .await;
    assert_eq!((row.miss_streak, row.hard), (1, Hard::NONE));
    let closed = UdpSocket::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let row = prober_with(patient(), &check(closed, Rcode::NoError, None), false)
        .ask(Series::Warm)
        .await;
    assert_eq!((row.miss_streak, row.hard), (1, Hard::REFUSED));
}
