//! Whose each constant is: a cluster's, which an override may change, or the whole fleet's.
//!
//! A cluster's are those that one target is probed and judged by alone. Freshness is among them, since what is probed less often
//! has older rows. The fleet's are those that all targets share: what makes a quorum, the rhythm of evidence, the observers' own
//! checks, and the rules that weigh clusters against each other (the cut rule, the weights of gray clusters and their brake).
//!
//! Both are used either by observers, so that evidence which is there was made by them and cannot be had otherwise, or by whoever
//! decides by it.

/// What a constant belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// A cluster's, used by the observers that probe it.
    Probed,
    /// A cluster's, used by whoever decides about it.
    Judged,
    /// Of all clusters alike, used by observers.
    Observed,
    /// Of all clusters alike, used by whoever decides.
    Fleet,
}

impl Scope {
    /// Whether a cluster's override may change it.
    pub(super) const fn is_by_cluster(self) -> bool {
        matches!(self, Scope::Probed | Scope::Judged)
    }

    /// Whether observers go by it, and evidence that is recorded was made by it.
    pub(super) const fn is_by_observers(self) -> bool {
        matches!(self, Scope::Probed | Scope::Observed)
    }
}
