//! The planner stepped against a small model of a fleet, with a virtual clock.
mod batch;
mod fleet;
mod hindsight;
mod holds;
mod properties;
mod standing;
mod stories;
