//! Evictions, placements and failback as immutable plans.
