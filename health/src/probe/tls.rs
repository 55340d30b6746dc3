//! The TLS check: both handshakes each T.

use std::net::SocketAddr;

use super::attempt::Attempt;
use super::dial::Dial;
use super::trust::Alpn;
use super::{Failure, Surroundings, Took};
use crate::check::{Remote, TlsProbe};
use crate::target::Family;

pub(super) struct TlsTarget {
    dial: Dial,
}

impl TlsTarget {
    pub(super) fn new(at: SocketAddr, tls: TlsProbe, family: Family, around: &Surroundings) -> TlsTarget {
        TlsTarget {
            dial: Dial::new(Remote::Address(at), family, Some((tls, Alpn::None)), around),
        }
    }

    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.dial.address()
    }

    pub(super) async fn probe(&self, attempt: &Attempt) -> Result<(), Failure> {
        let dialled = self.dial.dial(attempt).await?;
        if !dialled.late {
            let Took { connect, tls, .. } = dialled.took;
            attempt.good(Took {
                first_byte: connect.zip(tls).map(|(connect, tls)| connect + tls),
                ..dialled.took
            });
        }
        Ok(())
    }
}
