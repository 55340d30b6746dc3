//! Follows the steering plan that is published in an API, for DNS servers.

use kube::Client;
use lifeboat_dns::{SnapshotInput, Stamp};
use tokio::sync::watch;

use super::assembler::{self, PlanError};
use crate::{
    controller::Kinds,
    store::{Index, Watches},
};

/// What is new about the published plan.
#[derive(Debug, PartialEq)]
pub enum News {
    Plan(SnapshotInput),
    /// There is no plan, as far as the API tells.
    Unpublished,
    /// It cannot be put together. A part may arrive after the head that names it.
    Incomplete(PlanError),
}

/// A watch on the published plan, which ends when it is dropped.
pub struct Plans {
    index: Index,
    kinds: Kinds,
    changes: watch::Receiver<u64>,
    /// The version of the objects that were looked at last.
    seen: Option<u64>,
    /// What was told last.
    told: Option<Result<Option<Stamp>, PlanError>>,
    _watches: Watches,
}

impl Plans {
    /// Watches from now on; needs a tokio runtime.
    pub fn watch(client: Client) -> Self {
        let (index, kinds) = (Index::default(), Kinds::default());
        let watches = Watches::new(client, index.clone());
        watches.start(&kinds.steering_plan);
        watches.start(&kinds.steering_plan_shard);
        Self {
            changes: index.subscribe(),
            index,
            kinds,
            seen: None,
            told: None,
            _watches: watches,
        }
    }

    /// Waits for what was not told before. Nothing is lost where the wait is given up.
    pub async fn next(&mut self) -> News {
        loop {
            if let Some(news) = self.look() {
                return news;
            }
            // The sender lives in the index, so this cannot fail.
            let _changed = self.changes.changed().await;
        }
    }

    fn look(&mut self) -> Option<News> {
        let Self { index, kinds, .. } = self;
        let carriers = [&kinds.steering_plan, &kinds.steering_plan_shard];
        let version = Some(index.version_of(carriers));
        if !index.synced(carriers) || self.seen == version {
            return None;
        }
        self.seen = version;
        let found = assembler::published(index, kinds);
        let now = match &found {
            Ok(plan) => Ok(plan.as_ref().map(|plan| plan.stamp.clone())),
            Err(error) => Err(error.clone()),
        };
        if self.told.as_ref() == Some(&now) {
            return None;
        }
        self.told = Some(now);
        Some(match found {
            Ok(Some(plan)) => News::Plan(plan),
            Ok(None) => News::Unpublished,
            Err(error) => News::Incomplete(error),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        steer::publisher::{Publication, publication},
        store::{self, Op, Write},
    };

    fn plan(seq: u64) -> SnapshotInput {
        SnapshotInput {
            stamp: Stamp {
                fleet_uid: "f".to_owned(),
                epoch: 1,
                seq,
            },
            ..SnapshotInput::default()
        }
    }

    #[tokio::test]
    async fn each_plan_is_handed_over_once_it_is_whole() {
        // Nobody listens there: the index changes by hand.
        let nobody = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
        let mut plans = Plans::watch(store::connect(nobody).unwrap());
        assert_eq!(plans.look(), None, "nothing was read yet");
        let (index, kinds) = (plans.index.clone(), Kinds::default());
        index.reset(&kinds.steering_plan, Vec::new());
        index.reset(&kinds.steering_plan_shard, Vec::new());
        assert_eq!(plans.next().await, News::Unpublished);
        let Publication { shards, head } = publication(&plan(1), &index, &kinds).unwrap();
        let arrives = |write: &Write| {
            let Op::Create(object) = &write.op else {
                panic!("{write:?}")
            };
            index.apply(&write.kind, object.clone());
        };
        arrives(&head);
        assert!(matches!(plans.next().await, News::Incomplete(_)));
        assert!(!shards.is_empty());
        shards.iter().for_each(arrives);
        assert_eq!(plans.next().await, News::Plan(plan(1)));
        index.reset(
            &kinds.steering_plan,
            index
                .list(&kinds.steering_plan)
                .iter()
                .map(|held| (**held).clone())
                .collect(),
        );
        assert_eq!(plans.look(), None, "it is the same plan");
    }
}
