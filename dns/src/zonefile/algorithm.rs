//! DNSSEC algorithms by mnemonic (RFC 4034 appendix A.1), which the library reads as numbers only.

use std::borrow::Cow;

use domain::base::iana::Rtype;

use super::token::Token;

const MNEMONICS: [(&str, &[u8]); 17] = [
    ("RSAMD5", b"1"),
    ("DH", b"2"),
    ("DSA", b"3"),
    ("RSASHA1", b"5"),
    ("DSA-NSEC3-SHA1", b"6"),
    ("NSEC3DSA", b"6"),
    ("RSASHA1-NSEC3-SHA1", b"7"),
    ("NSEC3RSASHA1", b"7"),
    ("RSASHA256", b"8"),
    ("RSASHA512", b"10"),
    ("ECDSAP256SHA256", b"13"),
    ("ECDSAP384SHA384", b"14"),
    ("ED25519", b"15"),
    ("ED448", b"16"),
    ("INDIRECT", b"252"),
    ("PRIVATEDNS", b"253"),
    ("PRIVATEOID", b"254"),
];

/// The words of a type's data with its algorithm as a number.
pub(crate) fn numbered<'t, 'a>(kind: u16, tokens: &'t [Token<'a>]) -> Cow<'t, [Token<'a>]> {
    let place = match Rtype::from_int(kind) {
        Rtype::DS | Rtype::CDS | Rtype::DLV | Rtype::TA | Rtype::RRSIG => 1,
        Rtype::DNSKEY | Rtype::CDNSKEY | Rtype::KEY | Rtype::RKEY | Rtype::CERT => 2,
        _ => return Cow::Borrowed(tokens),
    };
    let number = tokens.get(place).and_then(|token| {
        MNEMONICS
            .iter()
            .find(|(mnemonic, _)| token.raw.eq_ignore_ascii_case(mnemonic.as_bytes()))
            .map(|(_, number)| *number)
    });
    let Some(number) = number else {
        return Cow::Borrowed(tokens);
    };
    let mut tokens = tokens.to_vec();
    if let Some(token) = tokens.get_mut(place) {
        token.raw = number;
    }
    Cow::Owned(tokens)
}
