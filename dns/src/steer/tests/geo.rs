//! Geo and latency over a table of five networks.

use super::*;
use crate::geo::tests::table;

const ROWS: &str = "prefix,name,asn,country,continent,latitude,longitude\n\
    10.0.0.0/8,office,,,,,\n\
    192.0.2.0/24,,64500,DE,EU,52.5,13.4\n\
    198.51.100.0/24,,,FR,EU,48.9,2.35\n\
    203.0.113.0/24,,64500,US,NA,38.9,-77\n\
    100.64.0.0/10,,,BR,SA,,\n";

const OFFICE: [u8; 4] = [10, 1, 2, 3];
const BERLIN: [u8; 4] = [192, 0, 2, 1];
const PARIS: [u8; 4] = [198, 51, 100, 1];
const WASHINGTON: [u8; 4] = [203, 0, 113, 1];
const BRAZIL: [u8; 4] = [100, 64, 0, 1];
const NOWHERE: [u8; 4] = [8, 8, 8, 8];

fn set(filters: &str, weights: &[u32]) -> Set {
    Set {
        geo: table(&[], ROWS),
        ..Set::new(filters, weights)
    }
}

impl Set {
    /// Who is left for a client: letters of clusters. What is told of the shares must agree.
    fn left(&self, address: [u8; 4]) -> String {
        let (mut weights, client) = (Vec::new(), client(address));
        self.choose(0, client, &mut weights);
        let left = |shown: Vec<bool>| -> String {
            shown
                .iter()
                .enumerate()
                .filter(|(_, shown)| **shown)
                .map(|(index, _)| cluster(index))
                .collect()
        };
        let chosen = left(weights.iter().map(|weight| *weight > 0).collect());
        let told = left(self.told(address).1.iter().map(|share| *share > 0.0).collect());
        assert_eq!(chosen, told);
        chosen
    }

    /// What the first filter is told to have done for a client, and the shares at the end.
    fn told(&self, address: [u8; 4]) -> (String, Vec<f64>) {
        let mut effective = Vec::new();
        health::apply(&self.steered.candidates, &self.gates, &mut effective);
        let asked = Asked {
            client: client(address),
            geo: &self.geo,
            draw: 0,
        };
        let steps = trace(&self.steered, &effective, Some(&asked));
        (steps[0].told.clone(), steps.last().unwrap().shares.clone())
    }
}

#[test]
fn the_most_special_region_decides() {
    let set = set(
        r#"[{"geo": {"networks": {"a": ["office"]}, "asns": {"b": [64500]}, "countries": {"c": ["US", "FR"], "d": ["FR"]},
                     "continents": {"a": ["EU", "SA"], "b": ["SA"]}}}]"#,
        &[1, 1, 1, 1],
    );
    assert_eq!(set.left(OFFICE), "a");
    assert_eq!(set.left(BERLIN), "b");
    assert_eq!(set.left(PARIS), "cd");
    assert_eq!(set.left(WASHINGTON), "b");
    assert_eq!(set.left(BRAZIL), "ab");
    assert_eq!(set.left(NOWHERE), "abcd");
    assert_eq!(
        set.told(BERLIN).0,
        "the client is in AS64500: the clusters listed for it"
    );
    assert_eq!(
        set.told(PARIS).0,
        "the client is in country FR: the clusters listed for it"
    );
    // Where the special is not usable the general is asked.
    set.gate(1, 0, 1);
    assert_eq!(set.left(BERLIN), "a");
    assert_eq!(set.left(WASHINGTON), "c");
    set.gate(2, 0, 1);
    assert_eq!(set.left(WASHINGTON), "ad");
    assert!(set.told(WASHINGTON).0.starts_with("nothing that is known"));
}

#[test]
fn geo_leaves_the_weights_of_those_it_leaves() {
    let set = set(
        r#"[{"geo": {"continents": {"a": ["EU"], "b": ["EU"], "c": ["NA"]}}}, {"weighted": {"a": 70, "b": 30, "c": 50}}]"#,
        &[1, 1, 1],
    );
    near(&set.told(PARIS).1, &[0.7, 0.3, 0.0]);
    near(&set.told(WASHINGTON).1, &[0.0, 0.0, 1.0]);
    set.gate(2, 0, 1);
    near(&set.told(WASHINGTON).1, &[0.7, 0.3, 0.0]);
}

#[test]
fn the_nearest_usable_cluster_serves() {
    // Frankfurt, Dublin, Virginia, and another in Frankfurt.
    let set = set(
        r#"[{"geo": {"locations": {
            "a": {"latitude": 50.1, "longitude": 8.7}, "b": {"latitude": 53.3, "longitude": -6.3},
            "c": {"latitude": 39, "longitude": -77.5}, "d": {"latitude": 50.1, "longitude": 8.7}}}}]"#,
        &[1, 1, 1, 1],
    );
    assert_eq!(set.left(BERLIN), "ad");
    assert_eq!(set.left(PARIS), "ad");
    assert_eq!(set.left(WASHINGTON), "c");
    assert_eq!(
        set.left(BRAZIL),
        "abcd",
        "a country alone is no place to measure from"
    );
    assert_eq!(set.left(NOWHERE), "abcd");
    set.gate(2, 0, 1);
    assert_eq!(set.left(WASHINGTON), "b");
    assert_eq!(
        set.told(WASHINGTON).0,
        "the cluster nearest to the client, 5439 km away"
    );
    set.gate(0, 0, 1);
    set.gate(3, 0, 1);
    assert_eq!(set.left(BERLIN), "b");
}

#[test]
fn across_the_date_line_is_near() {
    let mut set = set(
        r#"[{"geo": {"locations": {"a": {"latitude": -36.8, "longitude": 174.8}, "b": {"latitude": 37.8, "longitude": -122.4}}}}]"#,
        &[1, 1],
    );
    set.geo = table(&[], "prefix,latitude,longitude\n192.0.2.0/24,-13.8,-172\n");
    assert_eq!(
        set.left(BERLIN),
        "a",
        "Samoa is nearer to Auckland than to California"
    );
}

#[test]
fn those_within_the_margin_of_the_least_time_serve() {
    let set = set(
        r#"[{"latency": {"within": 20, "rows": [
            {"prefix": "192.0.2.0/25", "rttMs": {"a": 10, "b": 12, "c": 13}},
            {"asn": 64500, "rttMs": {"c": 5}},
            {"continent": "EU", "rttMs": {"a": 30, "b": 10}},
            {"country": "FR", "rttMs": {"b": 40, "c": 40}}]}}]"#,
        &[1, 1, 1],
    );
    assert_eq!(set.left(BERLIN), "ab");
    assert_eq!(set.left([192, 0, 2, 200]), "c");
    assert_eq!(set.left(PARIS), "bc");
    assert_eq!(set.left(NOWHERE), "abc");
    assert_eq!(
        set.told(BERLIN).0,
        "the row of the client's prefix: the nearest usable cluster is 10 ms away"
    );
    set.gate(0, 0, 1);
    assert_eq!(set.left(BERLIN), "bc", "the least time is that of the living");
    set.gate(1, 0, 1);
    set.gate(2, 0, 1);
    set.gate(0, FULL, 1);
    assert_eq!(
        set.left(PARIS),
        "a",
        "a row without a usable cluster is passed over"
    );
    assert_eq!(
        set.told(PARIS).0,
        "the row of continent EU: the nearest usable cluster is 30 ms away"
    );
}

#[test]
fn filters_compose_in_their_order() {
    let of = |filters: &str| set(filters, &[1, 1, 1, 1]);
    let geo = r#"{"geo": {"continents": {"b": ["EU"], "c": ["EU"]}}}"#;
    let tiers = r#"{"failover": {"tiers": [["a", "c"], ["b"]]}}"#;
    let geo_first = of(&format!("[{geo}, {tiers}]"));
    let tiers_first = of(&format!("[{tiers}, {geo}]"));
    // Candidates stand in the order of their tiers: a, c, b, d.
    near(&geo_first.told(PARIS).1, &[0.0, 1.0, 0.0, 0.0]);
    near(&tiers_first.told(PARIS).1, &[0.0, 1.0, 0.0, 0.0]);
    geo_first.gate(1, 0, 1);
    tiers_first.gate(1, 0, 1);
    near(&geo_first.told(PARIS).1, &[0.0, 0.0, 1.0, 0.0]);
    near(&tiers_first.told(PARIS).1, &[1.0, 0.0, 0.0, 0.0]);
}
