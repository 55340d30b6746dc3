//! The TCP check: a handshake each T. Nothing can be asked on a connection whose protocol is not known.

use std::net::SocketAddr;

use tokio::net::TcpStream;

use super::error::classify;
use super::wait::{Waited, wait};
use super::{Failure, Prober};
use crate::detector::Series;
use crate::evidence::Hard;
use crate::time::MonoTime;

pub(super) async fn probe(prober: &Prober, at: SocketAddr, started: MonoTime) -> Result<(), Failure> {
    let around = &prober.around;
    let soft = prober.detector.lock().timeouts().warm;
    let hard = std::time::Duration::from_millis(around.profile.timeout_max_ms.into());
    let missed = || prober.miss(Series::Warm, started, Hard::NONE);
    match wait(
        around.clock,
        TcpStream::connect(at),
        (soft, hard),
        around.profile.loop_lag(),
        missed,
    )
    .await?
    {
        Waited::InTime(Ok(_), took) => prober.good(Series::Warm, started, None, took),
        Waited::InTime(Err(error), _) => return Err(classify(&error)),
        Waited::Late(Ok(_), took) => {
            around.late.inc();
            prober.detector.lock().record_late(Series::Warm, took);
        }
        Waited::Late(Err(_), _) => {}
    }
    Ok(())
}
