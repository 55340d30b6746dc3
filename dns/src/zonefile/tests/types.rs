//! Data of each type: what is read, in wire form, and what is refused.

use super::{check, check_records};

#[track_caller]
fn data(text: &str, wire: &str) {
    let kind = text.split(' ').next().unwrap();
    check_records(&format!("x {text}\n"), &[&format!("x.example 300 {kind} {wire}")]);
}

#[track_caller]
fn refused(text: &str, part: &str) {
    let reading = super::read_text(&format!("{}x {text}\n", super::GOOD));
    assert!(reading.zone.is_none(), "{text}");
    let first = reading
        .problems
        .first()
        .map(ToString::to_string)
        .unwrap_or_default();
    assert!(first.contains(part), "{text}: {first}");
}

#[test]
fn read_by_the_library() {
    data("PTR A.b.", "0141016200");
    data("DNAME y.", "017900");
    data("MX 10 m.", "000a016d00");
    data("SRV 1 2 3 t.", "000100020003017400");
    data("HINFO a \"b c\"", "016103622063");
    data("RP m. t.", "016d00017400");
    data("CAA 128 issue \"a; b\"", "80056973737565613b2062");
    data("NAPTR 1 2 \"s\" \"h\" \"\" r.", "000100020173016800017200");
    data("SSHFP 1 1 00FF", "010100ff");
    data("TLSA 3 1 1 00 ff", "03010100ff");
    data("OPENPGPKEY AAEC Aw==", "00010203");
    data(
        "DS 60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118",
        "ec4505012bb183af5f22588179a53b0a98631fad1a292118",
    );
    data("CDS 0 0 0 00", "0000000000");
    data("DNSKEY 257 3 RSASHA256 AQAB", "01010308010001");
    data("CDNSKEY 0 3 0 AA==", "0000030000");
    data(
        "NSEC y. A MX RRSIG NSEC TYPE1234",
        "0179000006400100000003041b000000000000000000000000000000000000000000000000000020",
    );
    data("NSEC3PARAM 1 0 12 aabbccdd", "0100000c04aabbccdd");
    data(
        "RRSIG A ED25519 1 300 20300101000000 0 7 z. AAAA",
        "00010f010000012c70dbd880000000000007017a00000000",
    );
    data("SVCB 0 y.", "0000017900");
    data(
        "HTTPS 1 . alpn=\"h2,h3\" port=443 ipv4hint=192.0.2.1",
        "000100000100060268320268330003000201bb00040004c0000201",
    );
    data(
        "SVCB 1 . key65399=a key9 port=1 key19=\"b c\"",
        "0001000003000200010009000000130003622063ff77000161",
    );
    data("SVCB 1 . key9=", "00010000090000");
    data("HTTPS 1 . key667=\"a b\"", "000100029b0003612062");
}

#[test]
fn read_by_our_fields() {
    data("A 192.0.2.1", "c0000201");
    data("AAAA 2001:db8::1", "20010db8000000000000000000000001");
    data("AAAA ::ffff:192.0.2.1", "00000000000000000000ffffc0000201");
    data("SPF \"v=spf1\" a", "06763d737066310161");
    data("AFSDB 1 a.", "0001016100");
    data("PX 1 a. b.", "0001016100016200");
    data("ISDN 1 2", "01310132");
    data("ISDN 1", "0131");
    data("URI 10 1 \"ftp://a\"", "000a00016674703a2f2f61");
    data("EUI48 00-00-5E-00-53-2a", "00005e00532a");
    data("EUI64 00-00-5e-ef-10-00-00-2a", "00005eef1000002a");
    data("CERT PGP 0 0 AAEC", "0003000000000102");
    data("CSYNC 66 3 A NS AAAA", "000000420003000460000008");
    data("SMIMEA 3 0 0 ab", "030000ab");
    data("NID 10 0014:4fff:ff20:ee64", "000a00144fffff20ee64");
    data("L32 10 10.1.2.0", "000a0a010200");
    data("LP 10 l.", "000a016c00");
    data("DHCID AAEC", "000102");
    data(
        "LOC 42 21 54 N 71 06 18 W -24m 30m",
        "0033161389172dd070be15f000988d20",
    );
    data("LOC 51 N 0 W 0m", "001216138af183808000000000989680");
}

/// RFC 3597 §5.
#[test]
fn unknown_types() {
    data("TYPE65280 \\# 4 01020304", "01020304");
    data("TYPE65280 \\# 4 0102 0304", "01020304");
    data("TYPE65280 \\# 0", "");
    data("A \\# 4 c0000201", "c0000201");
    data("NS \\# 4 02 6e7300", "026e7300");
    data(
        "LOC \\# 16 00331613 89172dd0 70be15f0 00988d20",
        "0033161389172dd070be15f000988d20",
    );
    check(
        "x TYPE65280 \\# 5 01020304\n",
        &["5:16 warning followed by 4 octets"],
    );
    refused("TYPE65280 01", "`\\# LENGTH HEX`");
    refused("TYPE65280 \\# x 01", "expected a number of octets");
    refused("TYPE65280 \\# 2 010", "uneven number of hex digits");
    refused("A \\# 3 010203", "not the wire form of A data");
    refused("NS \\# 2 c00c", "not the wire form of NS data");
    refused("URI \\# 2 0001", "not the wire form of URI data");
    refused("NULL a", "data of type NULL");
    refused(
        &format!("TYPE65280 \\# 65536 {}", "00".repeat(65_536)),
        "65535 octets",
    );
}

#[test]
fn refused_data() {
    refused("A", "A record has no data; an IPv4 address is needed");
    refused("A 192.0.2.04", "`192.0.2.04` in A data: expected an IPv4 address");
    refused("AAAA ::g", "IPv6");
    refused(
        "MX m.",
        "`m.` in MX data: expected decimal number; PREFERENCE NAME is allowed",
    );
    refused("MX 1", "`1` in MX data: the data ends too early");
    refused("MX 65536 m.", "decimal number overflow");
    refused("MX 1 a..b", "empty label");
    refused("TXT", "TXT record has no data");
    refused(&format!("TXT {}", "a".repeat(256)), "256 octets is too long");
    refused("HINFO a", "ends too early");
    refused("HTTPS 1 . port=1 port=2", "duplicate");
    refused("HTTPS 1 . key9=1 key9=2", "duplicate");
    refused("HTTPS 1 . key99999=1", "invalid SvcParamKey");
    refused(&format!("HTTPS 1 . key9={}", "a".repeat(65_536)), "65535 octets");
    refused("HTTPS 1 . mandatory=port", "mandatory");
    refused("NSEC y. BLAH", "`BLAH` in NSEC data");
    for text in [
        "OPENPGPKEY",
        "CAA 0 \"\" a",
        "SSHFP 1 1",
        "TLSA 3 1 1",
        "DS 1 8 2",
        "DNSKEY 257 3 13",
        "ZONEMD 1 1 1",
    ] {
        refused(text, "");
    }
    refused(
        "RRSIG A 8 2 300 20300101000000 20200101000000 1 example.",
        "ends too early",
    );
    refused("EUI48 00-00-5e-00-53", "`-` between them");
    refused("EUI48 0-00-5e-00-53-2a", "`-` between them");
    refused("LOC 91 N 0 W 0m", "a location");
    refused("LOC 42 60 N 0 W 0m", "a location");
    refused("LOC N 0 W 0m", "a location");
    refused("NID 1 1:2:3", "`:` between them");
    refused("CERT FOO 0 0 AA==", "certificate type");
    refused("SMIMEA 3 0 0", "ends too early");
    refused("DS 1 8 2 0g", "`0g` in DS data");
}

/// RFC 9460 §2.4.3, §7.1.1, §7.2, §8: of parameters that contradict each other the operator is told, in every form of the data.
#[test]
fn service_parameters_agree() {
    fn warned(text: &str, fault: &str) {
        check(&format!("x {text}\n"), &[&format!("5:3 warning {fault}")]);
    }
    let alpn = "no-default-alpn stands without alpn";
    warned("SVCB 1 . no-default-alpn", &format!("in SVCB data {alpn}"));
    warned(
        "HTTPS 1 . port=443 no-default-alpn",
        &format!("in HTTPS data {alpn}"),
    );
    warned("SVCB \\# 7 0001 00 0002 0000", alpn);
    data(
        "HTTPS 1 . no-default-alpn alpn=h2",
        "0001000001000302683200020000",
    );
    refused("SVCB 1 . mandatory=alpn", "mandatory");
    warned(
        "SVCB \\# 13 0001 00 0000 0002 0003 0001 0000",
        "mandatory lists a key that is not there",
    );
    warned("SVCB \\# 10 0001 00 0003 0003 01bb01", "port has not 2 octets");
    refused("SVCB 1 . alpn=h2 alpn=h3", "duplicate SvcParamKey");
    refused("SVCB 1 . port=70000", "`port=70000` in SVCB data");
    refused("SVCB 1 . ipv4hint=1.2.3", "invalid ipv4");
    // In alias mode there are none (RFC 9460 §2.4.2).
    data("HTTPS 0 y.", "0000017900");
}
