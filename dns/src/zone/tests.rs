//! Images, and what is read from them.

use std::path::Path;

use proptest::prelude::*;

use super::image::{Draft, Image};
use super::*;
use crate::zonefile;

fn zone(text: &str) -> Zone {
    let text = format!("$TTL 9\n@ SOA ns hm 4294967295 2 3 4 5\n NS ns.other.\n{text}");
    let apex = zonefile::parse_name("example").unwrap();
    let mut source = |_: &Path| Ok(text.clone().into_bytes());
    let reading = zonefile::read(&apex, Path::new("z"), &mut source);
    reading
        .zone
        .unwrap_or_else(|| panic!("{text}: {:?}", reading.problems))
}

#[test]
fn an_image_is_read_back_as_it_was_written() {
    let zone = zone("a A 192.0.2.1\na TXT x y\na TXT b\nb.a AAAA ::1\n*.c MX 1 a\n");
    assert_eq!(zone.serial(), u32::MAX);
    let image = Image::parse(zone.image().octets().into()).unwrap();
    assert_eq!(&image, zone.image());
    assert_eq!(Zone::new(zone.apex().clone(), image), Some(zone));
}

#[test]
fn owners_are_found() {
    let zone = zone("a TXT x\nb.a TXT x\nc TXT x\n");
    let name = |text: &str| zonefile::parse_name(text).unwrap();
    let check = |text: &str, position: usize, there: bool| {
        let name = name(text);
        assert_eq!(zone.image().position(name.wire()), position, "{text}");
        assert_eq!(zone.image().at(name.wire()).is_some(), there, "{text}");
    };
    check("example", 0, true);
    check("a.example", 1, true);
    check("a.a.example", 2, false);
    check("b.a.example", 2, true);
    check("b.example", 3, false);
    check("c.example", 3, true);
    check("z.example", 4, false);
    check("aaa", 0, false);
}

#[test]
fn what_is_no_zone_is_refused() {
    let check = |apex: &str, fill: &dyn Fn(&mut Draft), expected: bool| {
        let mut draft = Draft::default();
        fill(&mut draft);
        let apex = zonefile::parse_name(apex).unwrap();
        assert_eq!(Zone::new(apex, draft.finish()).is_some(), expected);
    };
    let soa = [&b"\x01A\x00\x00"[..], &[0; 20]].concat();
    let put = |draft: &mut Draft, owner: &[u8], kind, data: &[&[u8]]| {
        draft.push(owner, kind, 1, data.iter().copied()).unwrap();
    };
    check("a", &|draft| put(draft, b"\x01a\x00", rtype::SOA, &[&soa]), true);
    check("a", &|_| {}, false);
    check(
        "a",
        &|draft| put(draft, b"\x01a\x00", rtype::A, &[&[0; 4]]),
        false,
    );
    check("b", &|draft| put(draft, b"\x01a\x00", rtype::SOA, &[&soa]), false);
    check(
        "a",
        &|draft| put(draft, b"\x01a\x00", rtype::SOA, &[&soa, &soa]),
        false,
    );
    check(
        "a",
        &|draft| put(draft, b"\x01a\x00", rtype::SOA, &[&soa[1..]]),
        false,
    );
    let outside = |draft: &mut Draft| {
        put(draft, b"\x01a\x00", rtype::SOA, &[&soa]);
        put(draft, b"\x01b\x00", rtype::A, &[&[0; 4]]);
    };
    check("a", &outside, false);
}

/// The walk along all names finds what asking for each finds.
#[test]
fn obstacles() {
    let zone = zone(
        "a A 192.0.2.1\nc CNAME x.\nd DNAME x.\nn NS x.\nt TXT x\n*.w A 192.0.2.1\nx.n A 192.0.2.2\nz DNAME y.\nz A 192.0.2.3\n",
    );
    let check = |name: &str, expected: Option<&'static str>| {
        let name = zonefile::parse_name(&format!("{name}.example")).unwrap();
        assert_eq!(zone.obstacle(name.wire()), expected, "{name}");
        let found = zone.first_obstacle([&name].into_iter());
        assert_eq!(found.map(|(_, obstacle)| obstacle), expected, "{name}");
    };
    check("a", Some("has fixed addresses for"));
    check("x.a", None);
    check("c", Some("has a CNAME for"));
    check("d", None);
    check("x.y.d", Some("has a DNAME above"));
    check("n", Some("delegates"));
    check("y.n", Some("delegates"));
    check("x.n", Some("has fixed addresses for"));
    check("y.x.n", Some("delegates"));
    check("t", None);
    check("w", None);
    check("z", Some("has fixed addresses for"));
    check("x.z", Some("has a DNAME above"));
    let names = ["0", "d", "o", "t", "y.z", "zz"].map(|name| {
        let name = format!("{name}.example");
        zonefile::parse_name(&name).unwrap()
    });
    let found = zone.first_obstacle(names.iter());
    assert_eq!(found, Some((&names[4], "has a DNAME above")));
    assert_eq!(zone.first_obstacle(names[..4].iter()), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// What is taken is what a draft would make.
    #[test]
    fn any_octets_do_no_harm(octets in prop::collection::vec(any::<u8>(), 0..60), at in 0_usize..200, by in any::<u8>()) {
        let mut near = zone("a A 192.0.2.1\na TXT x y\nb MX 1 a\n").image().octets().to_vec();
        let at = at % near.len();
        near[at] ^= by;
        for octets in [octets, near] {
            if let Some(image) = Image::parse(octets.clone().into()) {
                let mut draft = Draft::default();
                for set in image.owners().flat_map(|owner| owner.sets()) {
                    draft.push(set.owner(), set.kind(), set.ttl_s(), set.rdata()).unwrap();
                }
                let again = draft.finish();
                prop_assert_eq!(again.octets(), &octets[..]);
                prop_assert_eq!(again, image);
            }
        }
    }
}
