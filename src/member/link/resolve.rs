//! What a work wants of its member, by kind and name.

use std::sync::Arc;

use serde_json::Value;

use super::{Link, Object};
use crate::store::{Key, Served};

/// A work, and those of its manifests whose kind the member serves.
pub(super) struct Wanted {
    pub(super) work: Arc<Value>,
    pub(super) manifests: Vec<WantedManifest>,
    /// A manifest whose kind the member does not serve, or does not say so.
    pub(super) unserved: Option<String>,
    /// Of some manifest it is not known whether the member holds it.
    pub(super) unanswered: bool,
}

pub(super) struct WantedManifest {
    /// Its place in the work.
    pub(super) ordinal: usize,
    pub(super) object: Object,
    pub(super) manifest: Value,
}

impl Link {
    /// Finds the kind of each manifest.
    pub(super) async fn resolve(&mut self, work: Arc<Value>) -> Wanted {
        let list = work
            .pointer("/spec/workload/manifests")
            .and_then(Value::as_array)
            .cloned();
        let mut wanted = Wanted {
            work,
            manifests: Vec::new(),
            unserved: None,
            unanswered: false,
        };
        for (ordinal, manifest) in list.unwrap_or_default().into_iter().enumerate() {
            let text = |field: &str| manifest[field].as_str().unwrap_or_default();
            let (version, kind) = (text("apiVersion"), text("kind"));
            match self.discovery.ask(version, kind).await {
                Served::Yes(kind) => wanted.manifests.push(WantedManifest {
                    ordinal,
                    object: (kind, Key::of(&manifest)),
                    manifest,
                }),
                Served::No => {
                    let unserved = format!("{version} {kind} is not served by {}", self.cluster);
                    wanted.unserved.get_or_insert(unserved);
                }
                Served::Unanswered => {
                    let unserved =
                        format!("{} does not say whether it serves {version} {kind}", self.cluster);
                    wanted.unserved.get_or_insert(unserved);
                    wanted.unanswered = true;
                }
            }
        }
        wanted
    }
}
