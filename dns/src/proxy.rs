//! PROXY protocol, version 2: a load balancer in front of us says before each datagram, or at the begin of a connection, who the
//! client is (<https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt> §2.2). Version 1 is text over TCP alone and is not spoken.

use std::net::IpAddr;

use ipnet::IpNet;

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family and transport, length of what follows.
pub(crate) const HEAD_LEN: usize = 16;
const VERSION: u8 = 0x20;
const COMMAND_LOCAL: u8 = 0;
const COMMAND_PROXY: u8 = 1;
const FAMILY_UNSPEC: u8 = 0x0;
const FAMILY_INET: u8 = 0x1;
const FAMILY_INET6: u8 = 0x2;
/// Stream and datagram.
const TRANSPORTS: std::ops::RangeInclusive<u8> = 1..=2;
/// What may follow the head: addresses, and a load balancer's own fields, which are read over.
pub(crate) const MAX_REST: usize = 1_024;

/// Whose headers are believed on one listen address. There, everybody else is not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyFrom(pub Vec<IpNet>);

impl ProxyFrom {
    pub(crate) fn covers(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.0.iter().any(|network| network.contains(&peer))
    }
}

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proxied {
    /// `None` where the load balancer asks for itself, or does not know (§2.2, LOCAL and UNSPEC).
    pub client: Option<IpAddr>,
    /// The octets of the header.
    pub len: usize,
}

impl Proxied {
    /// The whole header's length, where its head is one of version 2 and its length is one we take.
    #[must_use]
    pub fn announced(head: &[u8]) -> Option<usize> {
        let (signature, rest) = head.split_first_chunk::<12>()?;
        let (fixed, _) = rest.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_be_bytes([fixed[2], fixed[3]]));
        let known = *signature == SIGNATURE && fixed[0] & 0xf0 == VERSION && length <= MAX_REST;
        known.then_some(HEAD_LEN + length)
    }

    /// Reads the header that `packet` begins with; `None` where there is none that is whole and well-formed.
    #[must_use]
    pub fn read(packet: &[u8]) -> Option<Self> {
        let len = Self::announced(packet)?;
        let rest = packet.get(HEAD_LEN..len)?;
        let (command, family, transport) = (packet[12] & 0xf, packet[13] >> 4, packet[13] & 0xf);
        let client = match (command, family) {
            (COMMAND_LOCAL, _) | (COMMAND_PROXY, FAMILY_UNSPEC) => None,
            (COMMAND_PROXY, FAMILY_INET) if TRANSPORTS.contains(&transport) => {
                // Source and destination address, source and destination port.
                let (addresses, _) = rest.split_first_chunk::<12>()?;
                Some(IpAddr::from(*addresses.first_chunk::<4>()?))
            }
            (COMMAND_PROXY, FAMILY_INET6) if TRANSPORTS.contains(&transport) => {
                let (addresses, _) = rest.split_first_chunk::<36>()?;
                Some(IpAddr::from(*addresses.first_chunk::<16>()?))
            }
            _ => return None,
        };
        Some(Self {
            client: client.map(|client| client.to_canonical()),
            len,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let mut header = SIGNATURE.to_vec();
        header.extend_from_slice(&[command, family]);
        header.extend_from_slice(&u16::try_from(rest.len()).unwrap().to_be_bytes());
        header.extend_from_slice(rest);
        header
    }

    const V4: &[u8] = &[192, 0, 2, 7, 127, 0, 0, 1, 0x30, 0x39, 0, 53];

    #[test]
    fn headers() {
        fn check(header: &[u8], expected: Option<Option<&str>>) {
            let packet = [header, b"a query"].concat();
            let found = Proxied::read(&packet);
            let client = found.map(|found| found.client);
            assert_eq!(
                client,
                expected.map(|client| client.map(|text| text.parse().unwrap())),
                "{header:?}"
            );
            if let Some(found) = found {
                assert_eq!(&packet[found.len..], b"a query");
            }
        }
        let mut v6 = [0; 36];
        v6[..2].copy_from_slice(&[0x20, 1]);
        v6[15] = 9;
        let mut mapped = [0; 36];
        mapped[10..16].copy_from_slice(&[0xff, 0xff, 192, 0, 2, 7]);
        for transport in [1, 2] {
            check(&header(0x21, 0x10 | transport, V4), Some(Some("192.0.2.7")));
            check(&header(0x21, 0x20 | transport, &v6), Some(Some("2001::9")));
            check(&header(0x21, 0x20 | transport, &mapped), Some(Some("192.0.2.7")));
        }
        // With fields of the load balancer behind the addresses.
        check(
            &header(0x21, 0x12, &[V4, &[4, 0, 1, 0]].concat()),
            Some(Some("192.0.2.7")),
        );
        check(&header(0x20, 0x00, &[]), Some(None));
        check(&header(0x20, 0x12, V4), Some(None));
        check(&header(0x21, 0x00, &[]), Some(None));
        // A command, a version, a family or a transport that there is not; addresses that are cut off; more than we take.
        check(&header(0x22, 0x12, V4), None);
        check(&header(0x11, 0x12, V4), None);
        check(&header(0x21, 0x32, &[0; 216]), None);
        check(&header(0x21, 0x10, V4), None);
        check(&header(0x21, 0x12, &V4[..11]), None);
        check(&header(0x21, 0x22, V4), None);
        check(&header(0x21, 0x12, &[0; MAX_REST + 1]), None);
        check(b"PROXY UDP4 192.0.2.7 127.0.0.1 1 53\r\n", None);
        let whole = header(0x21, 0x12, V4);
        for end in 0..whole.len() {
            assert_eq!(Proxied::read(&whole[..end]), None, "cut off at {end}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever follows the signature, a header that is read lies within the packet.
        #[test]
        fn random_headers_are_survived(
            fixed in prop::collection::vec(any::<u8>(), 0..4),
            rest in prop::collection::vec(any::<u8>(), 0..64),
            command in 0x1f_u8..0x23,
        ) {
            let length = u8::try_from(rest.len()).unwrap();
            let family = fixed.first().copied().unwrap_or(0x11) & 0x33;
            let packet = [&SIGNATURE, &[command, family, 0, length][..], &rest].concat();
            if let Some(found) = Proxied::read(&packet) {
                prop_assert_eq!(found.len, packet.len());
            }
            let _ = Proxied::read(&[&SIGNATURE, &fixed[..], &rest].concat()).map(|found| assert!(found.len <= 16 + 4 + 64));
        }
    }

    #[test]
    fn who_is_believed() {
        let from = ProxyFrom(vec![
            "192.0.2.0/24".parse().unwrap(),
            "2001:db8::/32".parse().unwrap(),
        ]);
        for (peer, expected) in [
            ("192.0.2.9", true),
            ("::ffff:192.0.2.9", true),
            ("192.0.3.9", false),
            ("2001:db8::1", true),
            ("::1", false),
        ] {
            assert_eq!(from.covers(peer.parse().unwrap()), expected, "{peer}");
        }
    }
}
