//! A cluster's two paths make one of four quadrants, and the quadrant says what may be done (design: four-quadrant table).

use crate::target::Path;
use crate::verdict::Verdict;
use crate::view::FleetView;

/// Which of a cluster's paths are down. What is not known is not down, so never grounds to evict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quadrant {
    /// Names are served, replicas placed as policies say.
    BothUp,
    /// Names are withdrawn, replicas stay.
    TrafficDown,
    /// Names are served; replicas are neither placed nor evicted.
    ControlDown,
    /// Names are withdrawn; replicas are evicted after the hold, if feasible.
    BothDown,
}

impl Quadrant {
    /// Of a cluster whose paths have these verdicts; `Unknown` stands for a frozen path or one that is not probed.
    pub fn of(traffic: Verdict, control: Verdict) -> Quadrant {
        match (traffic == Verdict::Down, control == Verdict::Down) {
            (false, false) => Quadrant::BothUp,
            (true, false) => Quadrant::TrafficDown,
            (false, true) => Quadrant::ControlDown,
            (true, true) => Quadrant::BothDown,
        }
    }
}

impl FleetView {
    /// Of one cluster, by [`FleetView::path_verdict`]; names are withdrawn by family, so this speaks of the cluster as a whole.
    pub fn quadrant(&self, cluster: &str) -> Quadrant {
        let verdict = |path| self.path_verdict(cluster, path);
        Quadrant::of(verdict(Path::Traffic), verdict(Path::Control))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Down, Recovering, Suspect, Unknown, Up};

    #[test]
    fn only_what_is_known_to_be_down_is() {
        for other in [Unknown, Up, Suspect, Recovering] {
            assert_eq!(Quadrant::of(other, Down), Quadrant::ControlDown, "{other}");
            assert_eq!(Quadrant::of(Down, other), Quadrant::TrafficDown, "{other}");
            assert_eq!(Quadrant::of(other, other), Quadrant::BothUp, "{other}");
        }
        assert_eq!(Quadrant::of(Down, Down), Quadrant::BothDown);
    }
}
