//! Any octets do no harm, and a zone printed and read again is the same.

use std::fmt::Write as _;
use std::path::Path;

use proptest::prelude::*;

use super::{hex, read_text, records};
use crate::name::Name;
use crate::zone::Zone;
use crate::zonefile::{MAX_DEPTH, Reading, parse_name, read};

fn read_octets(text: &[u8]) -> Reading {
    let mut left = 2 * MAX_DEPTH;
    read(&parse_name("example").unwrap(), Path::new("z"), &mut |_| {
        left = left
            .checked_sub(1)
            .ok_or_else(|| std::io::Error::other("enough"))?;
        Ok(text.to_vec())
    })
}

/// All records in the form for unknown types.
fn print(zone: &Zone) -> String {
    let mut text = String::new();
    for set in zone.sets() {
        for rdata in set.rdata() {
            let (owner, ttl_s, kind) = (Name::from_wire(set.owner()), set.ttl_s(), set.kind());
            writeln!(
                text,
                "{owner}. {ttl_s} IN TYPE{kind} \\# {} {}",
                rdata.len(),
                hex(rdata)
            )
            .unwrap();
        }
    }
    text
}

/// Pieces that master files are made of, so that random text gets beyond the first word.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: [&str; 64] = [
        "\n",
        "\n",
        "\n",
        " ",
        " ",
        " ",
        "\t",
        "\r",
        "(",
        ")",
        "\"",
        ";",
        "\\",
        "\\0",
        "\\065",
        "\\300",
        "\\\"",
        "$",
        "@",
        "*",
        ".",
        "..",
        "a",
        "ns",
        "x.y",
        "example.",
        "other.",
        "$ORIGIN ",
        "$TTL ",
        "$INCLUDE ",
        "$INCLUDE f\n",
        "$GENERATE ",
        "1-3 ",
        "1-9/2 ",
        "${0,3,n}",
        "h$ ",
        "IN ",
        "CH ",
        "5 ",
        "1h30m ",
        "A ",
        "NS ",
        "SOA ",
        "CNAME ",
        "DNAME ",
        "MX ",
        "TXT ",
        "SRV ",
        "HTTPS ",
        "NSEC ",
        "RRSIG ",
        "LOC ",
        "CERT ",
        "URI ",
        "TYPE65280 ",
        "\\# ",
        "4 01020304",
        "192.0.2.1",
        "::1",
        "alpn=\"h2\" ",
        "@ SOA a b 1 2 3 4 5\n",
        "@ NS ns\n",
        "ns A 192.0.2.1\n",
        "AAAA ",
    ];
    prop_oneof![
        20 => prop::sample::select(&PIECES[..]).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..4),
    ]
}

/// One record of a kind that has no rules about its neighbours.
fn record() -> impl Strategy<Value = String> {
    let owner = prop_oneof![
        "[a-z]{1,3}(\\.[A-Za-z*_]{1,3}){0,3}",
        prop::collection::vec(any::<u8>(), 1..9).prop_map(|octets| octets
            .iter()
            .map(|octet| format!("\\{octet:03}"))
            .collect::<String>()),
    ];
    let string = prop::collection::vec(any::<u8>(), 0..40).prop_map(|octets| {
        octets
            .iter()
            .map(|octet| format!("\\{octet:03}"))
            .collect::<String>()
    });
    let data = prop_oneof![
        any::<[u8; 4]>().prop_map(|o| format!("A {}.{}.{}.{}", o[0], o[1], o[2], o[3])),
        any::<u128>().prop_map(|bits| format!("AAAA {}", std::net::Ipv6Addr::from(bits))),
        (string.clone(), string).prop_map(|(a, b)| format!("TXT \"{a}\" \"{b}\"")),
        (any::<u16>(), "[A-Za-z]{1,9}").prop_map(|(preference, name)| format!("MX {preference} {name}")),
        (any::<[u16; 3]>(), "[A-Za-z]{1,9}")
            .prop_map(|(n, name)| format!("SRV {} {} {} {name}.", n[0], n[1], n[2])),
        (any::<u16>(), 1_u16..64)
            .prop_map(|(port, key)| format!("HTTPS 1 . port={port} key{}=a", 700 + key % 8)),
        prop::collection::vec(any::<u8>(), 0..99).prop_map(|o| format!(
            "TYPE65280 \\# {} {}",
            o.len(),
            hex(&o)
        )),
    ];
    (owner, 0_u32..=i32::MAX.cast_unsigned(), data)
        .prop_map(|(owner, ttl_s, data)| format!("{owner} {ttl_s} {data}\n"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_octets_do_no_harm(octets in prop::collection::vec(any::<u8>(), 0..400)) {
        read_octets(&octets);
    }

    #[test]
    fn any_pieces_do_no_harm(pieces in prop::collection::vec(piece(), 0..60)) {
        if let Some(zone) = read_octets(&pieces.concat()).zone {
            let again = read_text(&print(&zone)).zone;
            prop_assert_eq!(again.map(|again| records(&again)), Some(records(&zone)));
        }
    }

    #[test]
    fn a_printed_zone_is_the_same(lines in prop::collection::vec(record(), 0..30)) {
        let text = format!("@ 5 SOA Ns hm 1 2 3 4 5\n@ 5 NS NS\n{}", lines.concat());
        let reading = read_text(&text);
        let Some(zone) = reading.zone else {
            return Err(TestCaseError::fail(format!("{:?}", reading.problems)));
        };
        let again = read_text(&print(&zone)).zone;
        prop_assert_eq!(again.map(|again| records(&again)), Some(records(&zone)));
    }
}
