//! A cluster's two paths make one of four quadrants, and the quadrant says what may be done (design:
//! four-quadrant table).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::target::Path;
use crate::verdict::Verdict;
use crate::view::FleetView;

/// Which of a cluster's paths are down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Quadrant {
    BothUp,
    TrafficDown,
    ControlDown,
    BothDown,
}

/// What the DNS tier does with a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum DnsAction {
    Serve,
    Withdraw,
}

/// What the controller may do with a cluster's replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ReplicaAction {
    /// Place and move as policies say.
    Normal,
    /// Leave them where they are; capacity elsewhere is raised only where `preScale` says so.
    Keep,
    /// Neither place nor evict.
    Freeze,
    /// Evict after the hold, if feasible.
    Evict,
}

/// What follows from a quadrant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    pub quadrant: Quadrant,
    pub dns: DnsAction,
    pub replicas: ReplicaAction,
}

/// The action for a cluster whose paths have these verdicts; pass `Unknown` for a frozen path or one that is
/// not probed.
///
/// What is not known is never grounds to evict: with one path Down and the other Unknown the replicas are frozen.
pub fn action(traffic: Verdict, control: Verdict) -> Action {
    let unknown = traffic == Verdict::Unknown || control == Verdict::Unknown;
    let (quadrant, dns, replicas) = match (traffic == Verdict::Down, control == Verdict::Down) {
        (false, false) => (Quadrant::BothUp, DnsAction::Serve, ReplicaAction::Normal),
        (true, false) => (Quadrant::TrafficDown, DnsAction::Withdraw, ReplicaAction::Keep),
        (false, true) => (Quadrant::ControlDown, DnsAction::Serve, ReplicaAction::Freeze),
        (true, true) => (Quadrant::BothDown, DnsAction::Withdraw, ReplicaAction::Evict),
    };
    Action {
        quadrant,
        dns,
        replicas: if unknown { ReplicaAction::Freeze } else { replicas },
    }
}

impl FleetView {
    /// The action for one cluster. Replicas go by [`FleetView::path_verdict`];
    /// names are withdrawn by family, so this speaks of the cluster as a whole.
    pub fn action(&self, cluster: &str) -> Action {
        let verdict = |path| self.path_verdict(cluster, path);
        action(verdict(Path::Traffic), verdict(Path::Control))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Down, Recovering, Suspect, Unknown, Up};

    #[track_caller]
    fn check(traffic: Verdict, control: Verdict, dns: DnsAction, replicas: ReplicaAction) {
        let got = action(traffic, control);
        assert_eq!((got.dns, got.replicas), (dns, replicas), "{traffic} {control}");
    }

    #[test]
    fn the_four_quadrants() {
        check(Up, Up, DnsAction::Serve, ReplicaAction::Normal);
        check(Down, Up, DnsAction::Withdraw, ReplicaAction::Keep);
        check(Up, Down, DnsAction::Serve, ReplicaAction::Freeze);
        check(Down, Down, DnsAction::Withdraw, ReplicaAction::Evict);
    }

    #[test]
    fn the_verdicts_between() {
        check(Suspect, Up, DnsAction::Serve, ReplicaAction::Normal);
        check(Recovering, Down, DnsAction::Serve, ReplicaAction::Freeze);
        check(Down, Unknown, DnsAction::Withdraw, ReplicaAction::Freeze);
        check(Unknown, Down, DnsAction::Serve, ReplicaAction::Freeze);
        check(Unknown, Unknown, DnsAction::Serve, ReplicaAction::Freeze);
    }

    #[test]
    fn nothing_but_both_down_evicts() {
        let all = [Unknown, Up, Suspect, Down, Recovering];
        for (traffic, control) in all.iter().flat_map(|t| all.iter().map(move |c| (*t, *c))) {
            let evicts = action(traffic, control).replicas == ReplicaAction::Evict;
            assert_eq!(evicts, traffic == Down && control == Down, "{traffic} {control}");
        }
    }
}
