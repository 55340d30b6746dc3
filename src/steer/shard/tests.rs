use lifeboat_dns::{EndpointInput, Filter, OnAllDown};

use super::*;

fn plan(names: usize, endpoints: usize) -> SnapshotInput {
    let name = |i: usize| NameInput {
        name: format!("app-{i:05}.demo.example"),
        zone: "demo.example".to_owned(),
        epoch: 1,
        seq: 7,
        ttl: 5,
        steer: vec![Filter::Weighted(BTreeMap::new())],
        on_all_down: OnAllDown::LastGood,
        degraded_ttl: None,
        https: None,
        svcb: None,
        endpoints: (0..endpoints)
            .map(|e| EndpointInput {
                cluster: format!("cluster-{e}"),
                addresses: vec!["192.0.2.1".parse().unwrap()],
                weight: 3,
            })
            .collect(),
    };
    SnapshotInput {
        stamp: Stamp {
            fleet_uid: "fleet".to_owned(),
            epoch: 1,
            seq: 7,
        },
        zones: Vec::new(),
        names: (0..names).map(name).collect(),
        removed: vec!["old.demo.example".to_owned()],
        ..SnapshotInput::default()
    }
}

fn stored(shards: &[Shard]) -> BTreeMap<String, String> {
    shards
        .iter()
        .map(|shard| (shard.hash.clone(), shard.body.clone()))
        .collect()
}

#[test]
fn a_plan_comes_back_as_it_was() {
    for names in [0, 1, 20, 5000] {
        let plan = plan(names, 3);
        let (head, shards) = cut(&plan).unwrap();
        assert!(shards.iter().all(|shard| shard.body.len() <= SHARD_BYTES_MAX));
        assert_eq!(assemble(&head, &stored(&shards)).unwrap(), plan);
    }
}

#[test]
fn one_changed_name_rewrites_one_shard() {
    let mut plan = plan(5000, 3);
    let (before, _) = cut(&plan).unwrap();
    assert!(before.shards.len() >= 2);
    plan.names[4321].ttl = 30;
    plan.stamp.seq = 8;
    let (after, _) = cut(&plan).unwrap();
    let changed = before
        .shards
        .iter()
        .zip(&after.shards)
        .filter(|(a, b)| a != b)
        .count();
    assert_eq!(changed, 1);
}

#[test]
fn a_missing_or_damaged_shard_gives_nothing() {
    let (head, shards) = cut(&plan(5000, 3)).unwrap();
    let mut some = stored(&shards);
    let hash = head.shards[0].hash.clone();
    let body = some.remove(&hash).unwrap();
    assert_eq!(
        assemble(&head, &some),
        Err(AssembleError::Missing { hash: hash.clone() })
    );
    some.insert(hash.clone(), body.replace("192.0.2.1", "192.0.2.9"));
    assert!(matches!(assemble(&head, &some), Err(AssembleError::Corrupt { hash: h, .. }) if h == hash));
}

#[test]
fn a_name_in_two_shards_is_refused() {
    let one = r#"{"removed":[],"names":[{"name":"a.","zone":".","epoch":0,"seq":0,"ttl":1,"steer":[{"weighted":{}}],"endpoints":[]}]}"#;
    let two = one.replace("\"ttl\":1", "\"ttl\":2");
    let refs = [one.to_owned(), two.clone()].map(|b| ShardRef {
        hash: hash(b.as_bytes()),
        bytes: b.len(),
    });
    let shards = BTreeMap::from([
        (refs[0].hash.clone(), one.to_owned()),
        (refs[1].hash.clone(), two),
    ]);
    let head = Head {
        stamp: Stamp::default(),
        shards: refs.to_vec(),
    };
    assert_eq!(
        assemble(&head, &shards),
        Err(AssembleError::Duplicate {
            name: "a.".to_owned()
        })
    );
}

#[test]
fn an_entry_too_large_is_named() {
    let mut plan = plan(2, 3);
    plan.names[1].endpoints = plan_endpoints();
    let error = cut(&plan).unwrap_err();
    assert!(
        matches!(&error, CutError::EntryTooLarge { name, .. } if name == "app-00001.demo.example"),
        "{error}"
    );
}

fn plan_endpoints() -> Vec<EndpointInput> {
    plan(1, 10_000).names.remove(0).endpoints
}
