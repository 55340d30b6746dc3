//! What the options of a query ask for, and whether they let it be answered.

use super::{QueryMeta, Transport};
use crate::cookie::{self, CookieSeen};
use crate::steer::client::Client;
use crate::wire::Rcode;
use crate::wire::ecs::Ecs;
use crate::wire::query::{Asks, Edns, Query};
use crate::wire::writer::{End, Granted};

/// What is known before the question is looked at.
pub(super) struct Heard<'a> {
    pub(super) end: End<'a>,
    /// The client on whose behalf a resolver asks, where it is told and believed.
    pub(super) client: Option<Client>,
    pub(super) cookie: CookieSeen,
    /// The code in `end` is all of the answer.
    pub(super) refused: bool,
}

/// Hears the options. The first that cannot be answered decides (RFC 6891 §6.1.3, RFC 7873 §5.2, RFC 7871 §6).
pub(super) fn hear<'a>(packet: &[u8], query: &Query, meta: &QueryMeta<'a>) -> Heard<'a> {
    let mut heard = Heard {
        end: End::plain(Rcode::NoError),
        client: None,
        cookie: CookieSeen::None,
        refused: false,
    };
    let Some(edns) = query.edns else { return heard };
    if edns.version > 0 {
        heard.refuse(Rcode::BadVers);
        return heard;
    }
    if edns.asks != Asks::default() {
        heard.grant(packet, &edns, meta);
        if heard.refused {
            return heard;
        }
    }
    match edns.ecs {
        Ecs::Malformed if meta.ecs => heard.refuse(Rcode::FormErr),
        Ecs::Given(subnet) if meta.ecs => {
            heard.client = subnet.client();
            heard.end.ecs = Some((subnet, 0));
        }
        Ecs::Absent | Ecs::Malformed | Ecs::Given(_) => {}
    }
    heard
}

impl<'a> Heard<'a> {
    fn refuse(&mut self, rcode: Rcode) {
        self.end.rcode = rcode;
        self.refused = true;
    }

    fn grant(&mut self, packet: &[u8], edns: &Edns, meta: &QueryMeta<'a>) {
        self.end.granted = Granted {
            nsid: meta.protocol.identity.nsid.as_deref().filter(|_| edns.asks.nsid),
            // RFC 7828 §3.3.1: not over UDP.
            keepalive: (meta.protocol.keepalive_tenths)
                .filter(|_| edns.asks.keepalive && meta.transport == Transport::Tcp),
            cookie: None,
        };
        if let (Some((at, length)), Some(rules)) = (edns.asks.cookie, &meta.protocol.cookies) {
            let at = usize::from(at);
            let data = packet.get(at..at + usize::from(length)).unwrap_or_default();
            let Some(shown) = cookie::read(data) else {
                return self.refuse(Rcode::FormErr);
            };
            let (seen, told) = rules.secrets.judge(&shown, meta.client, meta.unix_s);
            self.cookie = seen;
            self.end.granted.cookie = Some(told);
            // A connection has shown the client's address already.
            if rules.enforce && seen != CookieSeen::Good && meta.transport == Transport::Udp {
                self.refuse(Rcode::BadCookie);
            }
        }
    }
}
