//! Failure detection: probes, evidence, votes, quorum, verdicts
