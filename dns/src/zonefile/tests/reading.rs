//! RFC 1035 §5.1, RFC 2308 §4: the text.

use super::{GOOD, check, check_problems, check_records, read_files, read_text, records};

#[test]
fn words_and_entries() {
    check_records("x A 192.0.2.2", &["x.example 300 A c0000202"]);
    check_records(
        "x A 192.0.2.2\r\ny 5 IN A 192.0.2.3\r\n",
        &["x.example 300 A c0000202", "y.example 5 A c0000203"],
    );
    check_records("X IN 5 a 192.0.2.2 ; c\n\n   \n;c\n", &["x.example 5 A c0000202"]);
    check_records(
        "x TXT ( a ; b\n \"c d\"\n ) e\n",
        &["x.example 300 TXT 0161036320640165"],
    );
    check_records(
        "x TXT a\"b\"c \"\" \\065\\\"\\;\n",
        &["x.example 300 TXT 016101620163000341223b"],
    );
    check_records("x TXT é \"é\"\n", &["x.example 300 TXT 02c3a902c3a9"]);
    check_records(
        "x A 192.0.2.2\n  A 192.0.2.3\n",
        &["x.example 300 A c0000202", "x.example 300 A c0000203"],
    );
    check_records(
        "a\\.b TXT c\n\\065 TXT c\n",
        &["a.example 300 TXT 0163", "a\\.b.example 300 TXT 0163"],
    );
    check_records(
        "A A 192.0.2.2\nIN IN TXT a\n5 TXT a\n",
        &[
            "5.example 300 TXT 0161",
            "a.example 300 A c0000202",
            "in.example 300 TXT 0161",
        ],
    );
    check_records(
        "x MX 1 @\n  MX 2 .\n",
        &[
            "x.example 300 MX 0001076578616d706c6500",
            "x.example 300 MX 000200",
        ],
    );
    check_records("x CLASS1 TYPE16 a\n", &["x.example 300 TXT 0161"]);
}

#[test]
fn broken_words() {
    check("x TXT \"ab\ny A 192.0.2.2\n", &["5:7 error no closing"]);
    check("x TXT \"a\nb\"\n", &["5:7 warning next line"]);
    check(
        "x TXT a )\ny A 1\n",
        &["5:9 error closes nothing", "6:5 error expected an IPv4 address"],
    );
    check(
        &format!("x TXT {}\n", ")".repeat(9_000)),
        &["5:7 error closes nothing"],
    );
    check("x TXT (a\ny", &["5:7 warning never closed"]);
    check("x TXT ((a) b)\n", &["5:8 warning inside parentheses"]);
    check("x TXT \\256\n", &["5:7 warning bad escape"]);
    check("x\\25 TXT a\n", &["5:1 warning bad escape"]);
    check("x TXT a\\", &["5:7 warning bad escape"]);
    check("x TXT a\0b\n", &["5:7 warning octet of value 0"]);
    check("x A \"192.0.2.2\"\n", &["5:5 warning `192.0.2.2` is quoted"]);
    check("x MX 1 \"a.\"\n", &["5:8 warning `a.` is quoted"]);
    check("x \"TXT\" a\n", &["5:3 warning `TXT` is quoted"]);
    check("x\n", &["5:1 error without a record"]);
    check("x 5 IN\n", &["5:1 error without a record"]);
    check("x CH A 192.0.2.2\n", &["5:3 error class `CH`"]);
    check("x CLASS3 A 192.0.2.2\n", &["5:3 error only IN"]);
    check("x BLAH a\n", &["5:3 error `BLAH` is not a record type"]);
    check("x TYPE0 \\# 0\n", &["5:3 error TYPE1 to TYPE65535"]);
    check("x TYPE65536 \\# 0\n", &["5:3 error TYPE1 to TYPE65535"]);
    check("x ANY \\# 0\n", &["5:3 error class"]);
    check("x TYPE255 \\# 0\n", &["5:3 warning ANY is no type of data"]);
    check("x OPT \\# 0\n", &["5:3 warning OPT is no type of data"]);
    check("x MD y\n", &["5:3 warning MD is obsolete"]);
    check("x A 192.0.2.2 y\n", &["5:15 error `y` is left over after A data"]);
    check("a..b A 192.0.2.2\n A 192.0.2.3\n", &["5:1 error empty label"]);
    check(
        "x A 192.0.2\n\ny A z\n",
        &["5:5 error `192.0.2` in A data", "7:5 error `z` in A data"],
    );
    check(
        &format!("x TXT {}\n", "a ".repeat(1 << 18)),
        &["5:262147 error more than 131072 words"],
    );
    check(
        &format!("{} A 192.0.2.2\n", "x".repeat(64)),
        &["5:1 error label of 64 octets"],
    );
    check(
        &format!("{}x A 192.0.2.2\n", "abcdefgh.".repeat(28)),
        &["5:1 error 263 octets"],
    );
}

#[test]
fn owners() {
    check_problems(
        &read_text("$TTL 5\n SOA ns hm 1 2 3 4 5\n NS ns\nns A 192.0.2.1\n"),
        "first owner blank",
        &["2:2 warning first record has no owner, so it gets `example`"],
    );
    check(
        "x.other. A 192.0.2.2\n",
        &["5:10 warning x.other lies outside the zone"],
    );
}

#[test]
fn directives() {
    check_records(
        "$ORIGIN a.example.\nb TXT c\n$origin @\n@ TXT c\n",
        &["a.example 300 TXT 0163", "b.a.example 300 TXT 0163"],
    );
    check("$ORIGIN a\nb TXT c\n", &["5:9 warning relative to the origin"]);
    check("$ORIGIN\n", &["5:1 error a name is needed"]);
    check("$ORIGIN a. b\n", &["5:12 error `b` is left over after $ORIGIN"]);
    check("$TTL\n", &["5:1 error a TTL is needed"]);
    check("$TTL x\n", &["5:6 error `x` is not a TTL"]);
    check(
        "$FOO a\n",
        &["5:1 error $ORIGIN, $TTL, $INCLUDE and $GENERATE are allowed"],
    );
    check(" $TTL 5\n", &["5:2 error not a record type"]);
}

#[test]
fn ttls() {
    check_records("x 1h30m TXT a\n", &["x.example 5400 TXT 0161"]);
    check_records("$TTL 1d\nx TXT a\n", &["x.example 86400 TXT 0161"]);
    check_records("x 2147483647 TXT a\n", &["x.example 2147483647 TXT 0161"]);
    check("x 2147483648 TXT a\n", &["5:3 warning counts as 0"]);
    check("x 99999999999999999999 TXT a\n", &["5:3 warning counts as 0"]);
    check("$TTL 2147483648\n", &["5:6 warning RFC 2181 section 8"]);
    check("x 1h1 TXT a\n", &["5:3 warning number without unit"]);
    check("x 1y TXT a\n", &["5:3 error `1y` is not a TTL"]);
    check("x -1 TXT a\n", &["5:3 error not a record type"]);

    let text = "@ SOA ns hm 1 2 3 4 77\n NS ns\nns A 192.0.2.1\n 9 TXT a\nz TXT a\n$TTL 8\ny TXT a\n";
    let reading = read_text(text);
    check_problems(&reading, text, &["1:3 warning gets that of the SOA"]);
    let zone = reading.zone.unwrap();
    let ttls: Vec<u32> = zone.sets().map(|set| set.ttl_s()).collect();
    assert_eq!(ttls, [77, 77, 77, 9, 8, 9]);

    let text = "@ NS ns\nns A 192.0.2.1\n@ 44 SOA ns hm 1 2 3 4 77\n";
    let reading = read_text(text);
    check_problems(
        &reading,
        text,
        &["1:3 warning has no TTL", "2:4 warning has no TTL"],
    );
    assert!(reading.zone.unwrap().sets().all(|set| set.ttl_s() == 44));
}

#[test]
fn generated() {
    check_records(
        "$GENERATE 1-2 h$ A 192.0.2.$\n",
        &["h1.example 300 A c0000201", "h2.example 300 A c0000202"],
    );
    check_records(
        "$GENERATE 4-8/4 h${-4,3} 9 IN TXT \"a $\" ; c\n",
        &["h000.example 9 TXT 01610134", "h004.example 9 TXT 01610138"],
    );
    check_records(
        "$GENERATE 1-1 h$ IN 9 MX \"10 m$\"\n",
        &["h1.example 9 MX 000a026d31076578616d706c6500"],
    );
    check_records(
        "$GENERATE 1-1 a\\$$-\\065 TXT \\$\n",
        &["a\\$1-a.example 300 TXT 0124"],
    );
    check(
        "$GENERATE 1-2 ${0,4,n} TXT a\n",
        &["5:24 warning 1.0 lies outside", "5:24 warning 2.0 lies outside"],
    );
    check("$GENERATE 2-1 h$ TXT a\n", &["5:11 error START-STOP"]);
    check("$GENERATE 1-2 h${0 TXT a\n", &["5:15 error not a template"]);
    check("$GENERATE 1-2 h$ TXT ${0,0,q}\n", &["5:22 error not a template"]);
    check("$GENERATE 1-2 h$ MX 10 m$\n", &["5:24 error `m$` is left over"]);
    check("$GENERATE 1-2 h$ A\n", &["5:1 error one word of data"]);
    check("$GENERATE\n", &["5:1 error a range"]);
    check(
        "$GENERATE 1-300 h$ A 192.0.2.$\n",
        &["5:22 error `192.0.2.256` in A data"],
    );
    check(
        "$GENERATE 1-2000000 h$ A 192.0.2.1\n",
        &["5:11 error too many records"],
    );
    check(
        "$GENERATE 1-1000000/2 ..$ A 192.0.2.1\n$GENERATE 1-1000000 ..$ A 192.0.2.1\n",
        &["5:23 error empty label", "6:11 error 1048576"],
    );
}

#[test]
fn generated_text_is_bounded() {
    let added = format!("$GENERATE 1-1000000 h$ TXT {}\n", "a".repeat(3_000_000));
    let reading = read_text(&format!("{GOOD}{added}"));
    check_problems(&reading, "one string", &["5:28 error too long"]);
    let comment = "c".repeat(1 << 20);
    check(
        &format!("$GENERATE 1-100 h$ TXT \"a ;{comment}\"\n"),
        &["5:11 error 67108864 octets"],
    );
    check(
        "$GENERATE 1-2 h.${-2}${0,1,n}.other. TXT a\n",
        &[
            "5:38 warning h.-11.other lies outside",
            "5:38 warning h.02.other lies outside",
        ],
    );
}

#[test]
fn includes() {
    let main = format!("{GOOD}$INCLUDE sub/a\nx TXT m\n$INCLUDE sub/b c.example.\n TXT m\n");
    let files = [
        ("z", main.as_str()),
        ("sub/a", "x TXT a\n$ORIGIN o.example.\n$INCLUDE b\n"),
        ("sub/b", "x TXT b\n"),
    ];
    let reading = read_files(&files);
    check_problems(&reading, "includes", &[]);
    let got = records(&reading.zone.unwrap());
    let texts: Vec<&String> = got.iter().filter(|record| record.contains("TXT")).collect();
    assert_eq!(
        texts,
        [
            "x.c.example 300 TXT 0162",
            "x.o.example 300 TXT 0162",
            "x.example 300 TXT 0161",
            "x.example 300 TXT 016d",
        ]
    );

    let main = format!("{GOOD}$INCLUDE ./z\n$INCLUDE gone\n$INCLUDE\n$INCLUDE a b. c\n$INCLUDE bad\n");
    let reading = read_files(&[("z", &main), ("bad", "\nx A 1\n")]);
    let expected = [
        "5:10 error includes itself",
        "6:10 error `gone` cannot be read",
        "7:1 error a file, then an origin",
        "8:15 error `c` is left over",
        "2:5 error expected an IPv4 address",
    ];
    check_problems(&reading, "bad includes", &expected);
    assert_eq!(reading.problems[4].place.file.to_str(), Some("bad"));
    assert_eq!(
        reading.problems[4].to_string(),
        "bad:2:5: error: `1` in A data: expected an IPv4 address; an IPv4 address is allowed"
    );

    let names: Vec<String> = (0..20).map(|number| format!("f{number}")).collect();
    let texts: Vec<String> = (1..21).map(|number| format!("$INCLUDE f{number}\n")).collect();
    let main = format!("{GOOD}$INCLUDE f0\n");
    let mut files = vec![("z", main.as_str())];
    files.extend(
        names
            .iter()
            .map(String::as_str)
            .zip(texts.iter().map(String::as_str)),
    );
    check_problems(&read_files(&files), "deep", &["1:10 error at most 16 files"]);
    check_problems(
        &read_files(&[]),
        "nothing",
        &["1:1 error cannot be read", "1:1 error no SOA"],
    );
}

#[test]
fn keeps_a_bounded_number_of_problems() {
    let reading = read_text(&format!("{GOOD}{}", "x A 1\n".repeat(1_000)));
    assert_eq!((reading.problems.len(), reading.left_out), (500, 500));
}
