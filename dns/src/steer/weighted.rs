//! One candidate an answer, exactly in proportion to the effective weights, drawn anew for every query.

/// Maps a uniform draw onto the weights. Falls on the first candidate where all weights are 0.
pub(crate) fn pick(effective: &[u64], draw: u64) -> usize {
    let total: u128 = effective.iter().map(|weight| u128::from(*weight)).sum();
    // Floor of draw/2^64 × total: each unit of weight has the same share of all draws, to within 1 in 2^64.
    let mut point = scaled(draw, total);
    for (index, weight) in effective.iter().enumerate() {
        let weight = u128::from(*weight);
        if point < weight {
            return index;
        }
        point -= weight;
    }
    0
}

/// floor(draw × total / 2^64) for a total below 2^96.
fn scaled(draw: u64, total: u128) -> u128 {
    let low = total & u128::from(u64::MAX);
    let high = total >> 64;
    let draw = u128::from(draw);
    draw * high + ((draw * low) >> 64)
}

#[expect(clippy::cast_precision_loss, reason = "shares are shown to people")]
pub(crate) fn shares(effective: &[u64]) -> Vec<f64> {
    let total: u128 = effective.iter().map(|weight| u128::from(*weight)).sum();
    effective
        .iter()
        .map(|weight| {
            if total == 0 {
                0.0
            } else {
                *weight as f64 / total as f64
            }
        })
        .collect()
}
