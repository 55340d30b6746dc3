//! A cluster that passed the filters, with what it can take.

/// A cluster that may be chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// Name of the cluster.
    pub name: String,
    /// Region, empty when not set.
    pub region: String,
    /// Score of the plugins.
    pub score: i64,
    /// Replicas it can take on top of those it holds.
    pub allocatable: i32,
    /// `allocatable` and the replicas it holds.
    pub available: i64,
    /// Tier of overflow, 0 for the group of candidates itself.
    pub overflow_order: usize,
}
