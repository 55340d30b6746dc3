//! What a zone as a whole must be.

use super::{GOOD, check, check_problems, check_records, read_text, records};

#[test]
fn apex() {
    let text = "$TTL 3\n@ NS ns\nns A 192.0.2.1\n";
    check_problems(&read_text(text), text, &["1:1 error no SOA"]);
    let text = "$TTL 3\n@ SOA ns hm 1 2 3 4 5\nns A 192.0.2.1\n";
    check_problems(&read_text(text), text, &["2:3 warning has no NS record"]);
    check("@ SOA ns hm 2 1h 2 3 4\n", &["5:3 error second SOA"]);
    check("@ SOA NS HM 1 1h 2 3 4\n", &["5:3 warning same SOA record twice"]);
    check("x SOA ns hm 1 1h 2 3 4\n", &["5:3 error below the zone's name"]);
    check("@ CNAME y.\n", &["5:3 error CNAME record and others"]);
    check(
        "@ DS 1 8 1 0000000000000000000000000000000000000000\n",
        &["5:3 warning parent zone"],
    );
}

/// RFC 2181 §10.1, RFC 6672 §2.4.
#[test]
fn aliases() {
    check("x CNAME y\nx A 192.0.2.2\n", &["6:3 error RFC 2181 section 10.1"]);
    check(
        "x A 192.0.2.2\nx CNAME y\n",
        &["6:3 error x.example has a CNAME record and others"],
    );
    check("x CNAME y\nx CNAME z\n", &["6:3 error two CNAME"]);
    check("x CNAME y\nx CNAME Y\n", &[]);
    check("x CNAME y\nx NSEC y CNAME NSEC\n", &[]);
    check("x CNAME y\nx KEY 0 3 8 AQAB\n", &["6:3 warning BIND allows"]);
    check("x DNAME y.\nx DNAME z.\n", &["6:3 error two DNAME"]);
    check("x DNAME y.\nx CNAME z.\n", &["6:3 error CNAME record and others"]);
    check(
        "x DNAME y.\na.b.x A 192.0.2.2\nxx TXT a\n",
        &["6:7 warning a.b.x.example lies below the DNAME record of x.example"],
    );
    check(
        "@ NS n.x\nx DNAME y.\n",
        &["3:2 warning n.x.example of example has no A or AAAA"],
    );
    check(
        "@ DNAME y.\n",
        &["3:2 error cannot be found", "4:4 warning ns.example lies below"],
    );
}

/// RFC 1034 §4.2.1, RFC 2181 §10.3.
#[test]
fn delegations() {
    check("x NS ns.x\nns.x A 192.0.2.2\n AAAA ::1\n", &[]);
    check(
        "x NS ns\nx DS 1 8 1 0000000000000000000000000000000000000000\n",
        &[],
    );
    check(
        "x NS ns\nfoo.x A 192.0.2.2\nxx TXT a\n",
        &["6:7 warning A at foo.x.example is occluded"],
    );
    check(
        "x NS ns\nx TXT a\n",
        &["6:3 warning TXT at x.example is occluded by the delegation of x.example"],
    );
    check(
        "x NS ns\ny.x NS ns\n",
        &["6:5 warning NS at y.x.example is occluded"],
    );
    check(
        "x NS ns.x\n",
        &["5:3 warning name server ns.x.example of x.example"],
    );
    check("x NS ns.other.\n", &[]);
    check("@ NS n2\n", &["3:2 warning n2.example"]);
    check("@ NS n2\nn2 TXT a\n", &["3:2 warning has no A or AAAA record"]);
    check("@ NS n.w\n*.w A 192.0.2.2\n", &[]);
    check(
        "@ NS n2\nn2 CNAME ns\n",
        &["3:2 warning NS of example names n2.example, which is a CNAME"],
    );
    check("x MX 1 n2\nn2 CNAME ns\n", &["5:3 warning MX of x.example names"]);
    check(
        "_a._tcp SRV 1 1 1 n2\nn2 CNAME ns\n",
        &["5:9 warning SRV of _a._tcp.example names"],
    );
    check("*.x NS ns\n", &["5:5 warning wildcard"]);
}

#[test]
fn host_names() {
    check(
        "a_b A 192.0.2.2\na_b TXT a\n",
        &["5:5 warning a_b.example in the A record"],
    );
    check("*.x A 192.0.2.2\n", &[]);
    check(
        "x MX 1 a!b.\n",
        &["5:3 warning a!b in the MX record of x.example"],
    );
    check("x NS -a.\n", &["5:3 warning -a in the NS record"]);
    check("x PTR a_b.\n", &[]);
    let text = GOOD.replace("ns hm", "n_s. h_m.x.");
    check_problems(&read_text(&text), &text, &["2:3 warning n_s in the SOA record"]);
}

/// RFC 2181 §5, RFC 4034 §6.
#[test]
fn sets() {
    check("x 6 TXT a\nx 5 TXT b\n", &["6:5 warning TTLs of 5 to 6 s"]);
    check_records(
        "x MX 2 B.\nX MX 1 a.\nx MX 1 A.\n",
        &["x.example 300 MX 0001016100", "x.example 300 MX 0002014200"],
    );
    check(
        "x RRSIG A 8 2 300 20300101000000 20200101000000 1 example. AAAA\nx 5 RRSIG TXT 8 2 300 20300101000000 20200101000000 1 example. AAAA\n",
        &[],
    );
    let zone = read_text(&format!(
        "{GOOD}z.a TXT a\nb TXT a\n\\200.z TXT a\na TXT a\nyljkjljk.a TXT a\n*.z TXT a\n"
    ));
    let got = records(&zone.zone.unwrap());
    let owners: Vec<&str> = got.iter().filter_map(|record| record.split(' ').next()).collect();
    let expected = [
        "example",
        "example",
        "a.example",
        "yljkjljk.a.example",
        "z.a.example",
        "b.example",
        "ns.example",
        "*.z.example",
        "\\200.z.example",
    ];
    assert_eq!(owners, expected);
}
