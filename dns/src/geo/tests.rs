//! Databases written here, read back through tables, and tables against a naive search.

use std::net::IpAddr;

use ipnet::IpNet;
use proptest::prelude::*;

use super::*;

pub(crate) mod writer;

use writer::{Database, Value, city, record};

fn client(address: &str) -> Client {
    Client::of_address(address.parse().unwrap())
}

fn net(prefix: &str) -> IpNet {
    prefix.parse().unwrap()
}

/// A table of these databases and rows.
pub(crate) fn table(databases: &[Database], rows: &str) -> GeoTable {
    let mut builder = TableBuilder::default();
    for database in databases {
        mmdb::read(database.encode(), &mut builder).unwrap();
    }
    for row in rows::parse(rows).unwrap() {
        builder.row(&row);
    }
    builder.finish()
}

fn cities() -> Database {
    let mut database = Database::new();
    database.insert("198.51.100.0/24", city("DE", "EU", 52.52, 13.405));
    database.insert("203.0.113.0/25", city("US", "NA", 38.9, -77.04));
    database.insert("203.0.113.128/25", city("CA", "NA", 45.42, -75.7));
    database.insert("2001:db8:a::/48", city("JP", "AS", 35.68, 139.69));
    database
}

const NO_ROWS: &str = "prefix";

fn seen(table: &GeoTable, address: &str) -> (String, u8) {
    let (place, len) = table.place(&client(address));
    let text = place.map_or_else(String::new, |place| {
        format!("{} {}", code_text(place.country), code_text(place.continent))
    });
    (text, len)
}

#[test]
fn a_city_database_tells_countries_and_points() {
    let table = table(&[cities()], NO_ROWS);
    assert_eq!(seen(&table, "198.51.100.77"), ("DE EU".to_owned(), 24));
    assert_eq!(seen(&table, "203.0.113.1"), ("US NA".to_owned(), 25));
    assert_eq!(seen(&table, "203.0.113.200"), ("CA NA".to_owned(), 25));
    assert_eq!(seen(&table, "2001:db8:a:1::1"), ("JP AS".to_owned(), 48));
    assert_eq!(seen(&table, "::ffff:198.51.100.1"), ("DE EU".to_owned(), 24));
    // Of what lies between, the shortest prefix that holds none of them.
    assert_eq!(seen(&table, "198.51.101.1"), (String::new(), 24));
    assert_eq!(seen(&table, "10.0.0.1"), (String::new(), 1));
    assert_eq!(seen(&table, "2001:db9::1"), (String::new(), 32));
    let (place, _) = table.place(&client("198.51.100.1"));
    let here = Point::of(place.unwrap().location.unwrap());
    let (there, _) = table.place(&client("203.0.113.1"));
    let there = Point::of(there.unwrap().location.unwrap());
    let far = Point::kilometres(here.chord2(there));
    assert!(
        (6_700.0..6_730.0).contains(&far),
        "Berlin to Washington is {far} km"
    );
}

#[test]
fn databases_of_other_kinds_add_to_it() {
    let mut asns = Database::new();
    asns.insert(
        "198.51.100.0/23",
        Value::Map(vec![("autonomous_system_number", Value::U32(64_500))]),
    );
    let mut countries = Database::new();
    countries.insert(
        "192.0.2.0/24",
        Value::Map(vec![("registered_country", record("iso_code", "FR"))]),
    );
    let table = table(&[cities(), asns, countries], NO_ROWS);
    assert_eq!(table.asn(&client("198.51.101.9")), (Some(64_500), 23));
    assert_eq!(seen(&table, "198.51.100.9"), ("DE EU".to_owned(), 24));
    assert_eq!(seen(&table, "192.0.2.9").0, "FR \0\0");
}

#[test]
fn what_is_no_database_is_refused() {
    let refused = |octets: Vec<u8>| mmdb::read(octets, &mut TableBuilder::default()).unwrap_err();
    assert!(matches!(
        refused(b"not a database".to_vec()),
        MmdbError::Format(_)
    ));
    let mut torn = cities().encode();
    torn.truncate(torn.len() / 2);
    assert!(matches!(refused(torn), MmdbError::Format(_)));
    let mut other = Database::new();
    other.insert("192.0.2.0/24", record("connection_type", "Dialup"));
    assert!(matches!(refused(other.encode()), MmdbError::Nothing));
    let missing = GeoSources {
        databases: vec![PathBuf::from("absent.mmdb")],
        ..GeoSources::default()
    };
    assert!(
        GeoTable::load(&missing)
            .unwrap_err()
            .to_string()
            .starts_with("absent.mmdb: ")
    );
}

#[test]
fn the_operators_rows_win() {
    let rows = "# ours\nprefix, name, asn, country, continent, latitude, longitude\n\
                10.0.0.0/8, office, , , , , \n\
                198.51.0.0/16, , AS64501, AT, EU, 48.2, 16.37\n\
                192.0.2.7, lab, , , , ,\n";
    let table = table(&[cities()], rows);
    assert_eq!(table.network(&client("10.1.2.3")), (Some(name_hash("office")), 8));
    assert_eq!(table.network(&client("192.0.2.7")), (Some(name_hash("lab")), 32));
    assert_eq!(table.network(&client("11.0.0.1")).0, None);
    assert_eq!(
        seen(&table, "198.51.100.9"),
        ("AT EU".to_owned(), 16),
        "also over a longer prefix of a database"
    );
    assert_eq!(table.asn(&client("198.51.100.9")), (Some(64_501), 16));
    assert_eq!(seen(&table, "203.0.113.1"), ("US NA".to_owned(), 25));
}

#[test]
fn bad_rows_are_refused_by_line() {
    let check = |text: &str, expected: &str| {
        let refused = rows::parse(text).unwrap_err().to_string();
        assert_eq!(refused, expected, "{text}");
    };
    check(
        "network,country\n",
        "the first line must name the columns prefix, name, asn, country, continent, latitude, longitude; it has \
         \"network,country\"",
    );
    check(
        "prefix,name\n\n10.0.0.0/8\n",
        "line 3: 1 columns; the first line names 2",
    );
    check(
        "prefix,country\n10.0.0.0/33,DE\n",
        "line 2: prefix: \"10.0.0.0/33\" is not a CIDR prefix such as 198.51.100.0/24",
    );
    check(
        "prefix,country\n10.0.0.0/8,Germany\n",
        "line 2: country: is \"Germany\"; two capital letters by ISO 3166-1, such as DE, are allowed",
    );
    check(
        "prefix,continent\n10.0.0.0/8,XX\n",
        "line 2: continent: is \"XX\"; AF, AN, AS, EU, NA, OC, SA are allowed",
    );
    check(
        "prefix,asn\n10.0.0.0/8,ASX\n",
        "line 2: asn: \"ASX\" is not the number of an autonomous system",
    );
    check(
        "prefix,latitude,longitude\n10.0.0.0/8,91,0\n",
        "line 2: latitude: is not a number of degrees that is allowed",
    );
    check(
        "prefix,latitude,longitude\n10.0.0.0/8,9,\n",
        "line 2: longitude: is not a number of degrees that is allowed",
    );
    check(
        "prefix,name\n10.0.0.0/8,\n",
        "line 2: says nothing of the network: a name, asn, country, continent or location is needed",
    );
}

/// What `find` must say, by looking through all prefixes.
fn naive(prefixes: &[(IpNet, u32)], address: IpAddr) -> Option<u32> {
    prefixes
        .iter()
        .filter(|(prefix, _)| prefix.contains(&address))
        .max_by_key(|(prefix, _)| prefix.prefix_len())
        .map(|(_, value)| *value)
}

fn v4(first_octet: u8) -> IpAddr {
    IpAddr::from([first_octet, 0, 0, 0])
}

proptest! {
    /// Longest prefix match, with a scope that is right and as short as it can be. All prefixes end within the first octet, so
    /// that 256 addresses stand for all.
    #[test]
    fn tables_find_the_longest_prefix(
        under in prop::collection::vec((any::<u8>(), 0_u8..=8, 0_u32..4), 0..12),
        over in prop::collection::vec((any::<u8>(), 0_u8..=8, 0_u32..4), 0..4),
    ) {
        let nets = |list: &[(u8, u8, u32)]| -> Vec<(IpNet, u32)> {
            list.iter()
                .map(|(octet, len, value)| (IpNet::new(v4(*octet), *len).unwrap().trunc(), *value))
                .collect()
        };
        let (under, over) = (nets(&under), nets(&over));
        let builder = |list: &[(IpNet, u32)]| {
            let mut builder = Builder::default();
            list.iter().for_each(|(prefix, value)| builder.add(*prefix, *value));
            builder
        };
        let table = builder(&under).finish_under(builder(&over));
        let expected: Vec<Option<u32>> = (0..=255)
            .map(|octet| naive(&over, v4(octet)).or_else(|| naive(&under, v4(octet))))
            .collect();
        for octet in 0..=255_u8 {
            let (found, len) = table.find(&Client::of_address(v4(octet)));
            prop_assert_eq!(found, expected[usize::from(octet)]);
            let same_within = |len: u8| {
                let around = IpNet::new(v4(octet), len).unwrap();
                (0..=255).filter(|other| around.contains(&v4(*other))).all(|other| expected[usize::from(other)] == found)
            };
            prop_assert!(len <= 8 && same_within(len), "{octet}/{len}");
            prop_assert!(len == 0 || !same_within(len - 1), "{octet}/{len} is longer than it must be");
        }
    }

    /// The index over many ranges leads to the same as a search through all.
    #[test]
    fn the_index_finds_every_range(
        prefixes in prop::collection::vec((any::<u128>(), 16_u8..=64, any::<u16>()), 1..200),
    ) {
        let prefixes: Vec<(IpNet, u32)> = prefixes
            .into_iter()
            .map(|(bits, len, value)| {
                let address = IpAddr::V6(std::net::Ipv6Addr::from_bits(bits));
                (IpNet::new(address, len).unwrap().trunc(), u32::from(value))
            })
            .collect();
        let mut builder = Builder::default();
        prefixes.iter().for_each(|(prefix, value)| builder.add(*prefix, *value));
        let table = builder.finish();
        for (prefix, _) in &prefixes {
            for address in [prefix.network(), prefix.broadcast()] {
                let (found, _) = table.find(&Client::of_address(address));
                // Of two equal prefixes the last counts; which that is `naive` does not say.
                let of_equals = prefixes
                    .iter()
                    .filter(|(other, _)| other.contains(&address))
                    .max_by_key(|(other, _)| other.prefix_len())
                    .map(|(longest, _)| *longest);
                let last = prefixes.iter().rev().find(|(other, _)| Some(*other) == of_equals);
                prop_assert_eq!(found, last.map(|(_, value)| *value));
            }
        }
    }
}

#[test]
fn the_last_of_equal_prefixes_counts() {
    let mut builder = Builder::default();
    builder.add(net("10.0.0.0/8"), 1);
    builder.add(net("10.0.0.0/8"), 2);
    let table = builder.finish();
    assert_eq!(table.find(&client("10.9.9.9")), (Some(2), 8));
    assert_eq!(table.find(&client("9.9.9.9")), (None, 7));
}
