//! What must never be false, as plain functions: called by tests, by the simulator and by `debug_assert!`.
//! The names are those of the safety rules S1 to S22.

/// S1: the answer of a live name and a configured type is not empty.
#[must_use]
pub fn s1_answer_not_empty(addresses: usize) -> bool {
    addresses > 0
}

/// S2: a record set is only replaced by one whose `(epoch, seq)` is at least as high.
#[must_use]
pub fn s2_stamp_does_not_fall(held: (u64, u64), offered: (u64, u64)) -> bool {
    offered >= held
}

/// S8a: a withdrawal may be committed only while a survivor is positively healthy.
#[must_use]
pub fn s8a_withdrawal_has_survivor(may_withdraw: bool, survivors: usize) -> bool {
    !may_withdraw || survivors > 0
}

/// S13: the shares of a name's clusters are not negative and add up to 1.
#[must_use]
pub fn s13_shares_sum_to_one(shares: &[f64]) -> bool {
    shares.iter().all(|share| *share >= 0.0) && (shares.iter().sum::<f64>() - 1.0).abs() < 1e-6
}

/// S14, "never suppress the last usable cluster": no answer holds a cluster that is Down while a candidate with weight
/// is positively healthy. Not asked in the second in which a family settles that was down as a whole.
#[must_use]
pub fn s14_last_usable_serves(holds_down: bool, healthy_with_weight: bool) -> bool {
    !(holds_down && healthy_with_weight)
}
