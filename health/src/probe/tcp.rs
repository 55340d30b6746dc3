//! The TCP check: a handshake each T. Nothing can be asked on a connection whose protocol is not known.

use std::net::SocketAddr;

use tokio::net::TcpStream;

use super::attempt::Attempt;
use super::error::classify;
use super::wait::Waited;
use super::{Failure, Took};
use crate::detector::Phase;

pub(super) async fn probe(attempt: &Attempt, at: SocketAddr) -> Result<(), Failure> {
    match attempt.wait(Phase::Warm, TcpStream::connect(at)).await? {
        Waited::InTime(Ok(_), took) => attempt.good(Took {
            first_byte: Some(took),
            ..Took::default()
        }),
        Waited::InTime(Err(error), _) => return Err(classify(&error)),
        Waited::Late(Ok(_), took) => attempt.learn_late(Phase::Warm, took),
        Waited::Late(Err(_), _) => {}
    }
    Ok(())
}
