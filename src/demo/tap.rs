//! Evidence as the demo's consumers hear it, for recordings.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use lifeboat_health::{MonoTime, recording::Preamble};
use tokio::sync::broadcast::Receiver;

use super::plane::Plane;
use crate::serve::evidence::Evidence;

pub(super) struct FromConsumer(Weak<Plane>);

impl FromConsumer {
    pub(super) fn new(plane: &Arc<Plane>) -> Arc<Self> {
        Arc::new(Self(Arc::downgrade(plane)))
    }
}

impl Evidence for FromConsumer {
    fn tap(&self) -> Option<(Preamble, Receiver<(MonoTime, Bytes)>)> {
        self.0.upgrade()?.tap()
    }
}
