//! Which of the chosen candidates' addresses an answer holds, and in what order: `all`, `rotation` and `max` answers.

/// A run of one candidate's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) candidate: usize,
    pub(crate) from: usize,
    pub(crate) to: usize,
}

/// Calls `emit` for the addresses of one answer, in order: beginning at a drawn address of the usable candidates and
/// going round once.
pub(crate) fn runs(
    counts: impl Fn(usize) -> usize,
    weights: &[u64],
    rotation: u64,
    max: usize,
    mut emit: impl FnMut(Run),
) {
    let usable = || {
        weights
            .iter()
            .enumerate()
            .filter(|(_, weight)| **weight > 0)
            .map(|(index, _)| index)
    };
    let total: usize = usable().map(&counts).sum();
    if total == 0 {
        return;
    }
    let start = usize::try_from((u128::from(rotation) * total as u128) >> 64).unwrap_or(0);
    let mut left = max.min(total);
    // Twice around: the second time for the part before the start.
    let mut position = 0;
    for candidate in usable().chain(usable()) {
        let count = counts(candidate);
        let from = start.saturating_sub(position).min(count);
        let to = count.min(from + left);
        if to > from {
            emit(Run { candidate, from, to });
            left -= to - from;
        }
        if left == 0 {
            return;
        }
        position += count;
    }
}

/// The share of answers each candidate has at least one address in.
#[expect(clippy::cast_precision_loss, reason = "shares are shown to people")]
pub(crate) fn shares(counts: &[usize], weights: &[u64], rotate: bool, max: usize) -> Vec<f64> {
    let usable = |index: usize| weights.get(index).is_some_and(|weight| *weight > 0);
    let total: usize = counts
        .iter()
        .enumerate()
        .filter(|(index, _)| usable(*index))
        .map(|(_, count)| count)
        .sum();
    let mut before = 0;
    counts
        .iter()
        .enumerate()
        .map(|(index, count)| {
            if !usable(index) || total == 0 {
                return 0.0;
            }
            let first = before;
            before += count;
            if rotate {
                ((count + max.min(total) - 1) as f64 / total as f64).min(1.0)
            } else if first < max {
                1.0
            } else {
                0.0
            }
        })
        .collect()
}
