//! What a consumer decides, for a test to read.

use lifeboat_health::{FleetView, MonoTime, Transition, VerdictSink};
use tokio::sync::mpsc;

/// Hands transitions to the test.
pub(crate) struct Tell(mpsc::Sender<Transition>);

impl Tell {
    pub(crate) fn channel() -> (Tell, mpsc::Receiver<Transition>) {
        let (tell, told) = mpsc::channel(1_000);
        (Tell(tell), told)
    }
}

impl VerdictSink for Tell {
    fn tick(&mut self, _: MonoTime, transitions: &[Transition], _: &FleetView) {
        for transition in transitions {
            self.0.try_send(transition.clone()).unwrap();
        }
    }
}
