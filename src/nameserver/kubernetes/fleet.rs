//! The clusters and observers of a control plane, kept in the state folder: a server that starts while the API is away probes what it
//! probed before, for a dead cluster stays withdrawn only while somebody looks at it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
};

use lifeboat_health::Target;
use serde::{Deserialize, Serialize};

use crate::{nameserver::last::replace, observe::Roster};

const FILE: &str = "fleet.json";

/// What Cluster and Observer objects say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Fleet {
    pub(super) targets: Vec<Target>,
    /// Where each cluster stands; all clusters are in it.
    pub(super) regions: BTreeMap<String, String>,
    pub(super) observers: Roster,
}

impl Fleet {
    /// Takes the place of the one before, whole or not at all.
    pub(super) fn save(&self, state: &Path) -> io::Result<()> {
        replace(state, FILE, &serde_json::to_vec(self)?)
    }

    /// Clusters that are probed and of which there is no object any more.
    pub(super) fn departed(&self) -> BTreeSet<&str> {
        let probed = self.targets.iter().map(|target| target.cluster.as_str());
        probed
            .filter(|cluster| !self.regions.contains_key(*cluster))
            .collect()
    }

    /// `None` where there is none.
    pub(super) fn load(state: &Path) -> io::Result<Option<Fleet>> {
        match fs::read(state.join(FILE)) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use lifeboat_health::{Family, Path as Tested};
    use serde_json::json;

    use super::*;
    use crate::api::ObserverSpec;

    #[test]
    fn what_was_saved_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Fleet::load(folder.path()).unwrap(), None);
        let fleet = Fleet {
            targets: vec![Target {
                cluster: "eu".to_owned(),
                path: Tested::Traffic,
                family: Family::V4,
                check: serde_json::from_value(json!({"kind": "tcp", "address": "192.0.2.1:80"})).unwrap(),
                detection: Some(Box::new(
                    serde_json::from_value(json!({"deadMisses": 7})).unwrap(),
                )),
            }],
            regions: [("eu".to_owned(), "europe".to_owned())].into(),
            observers: [("o".to_owned(), ObserverSpec::default())].into(),
        };
        fleet.save(folder.path()).unwrap();
        assert_eq!(Fleet::load(folder.path()).unwrap(), Some(fleet));
        fs::write(folder.path().join(FILE), "{").unwrap();
        assert!(Fleet::load(folder.path()).is_err());
    }
}
