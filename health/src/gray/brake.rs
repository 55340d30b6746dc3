//! The brake on gray failure: what all have in common is no reason to prefer one, and those that are well are not given
//! more than they can be expected to bear.

use crate::gray::Gray;
use crate::profile::Profile;

/// A weight that is not lowered.
pub(crate) const FULL_PERMILLE: u32 = 1_000;

/// The factors of the clusters that serve one address family, in thousandths, by their degrees: for each the one in force
/// and the one to come.
///
/// The least degree of all is taken off everybody: where all are alike, or are about to be, nothing changes. Then the
/// lowest factors are raised to one floor so far that `grayKeepPercent` of the sum stays.
pub(crate) fn factors(degrees: &[(Gray, Gray)], profile: &Profile) -> Vec<u32> {
    let common = degrees.iter().map(|(_, to_come)| *to_come).min();
    let mut factors: Vec<u32> = degrees
        .iter()
        .map(|(degree, _)| 10 * less(*degree, common.unwrap_or_default()).percent(profile))
        .collect();
    let floor = floor(&factors, profile.gray_keep_percent);
    factors
        .iter_mut()
        .for_each(|factor| *factor = (*factor).max(floor));
    factors
}

/// The degree without what is common to all.
fn less(degree: Gray, common: Gray) -> Gray {
    match common {
        Gray::None => degree,
        Gray::Mild => degree.milder(),
        Gray::Severe => degree.milder().milder(),
        Gray::Failing => Gray::None,
    }
}

/// The least floor under which `percent` of the full sum stays.
fn floor(factors: &[u32], percent: u32) -> u32 {
    let mut ascending = factors.to_vec();
    ascending.sort_unstable();
    let sum: u32 = ascending.iter().sum();
    let count = u32::try_from(ascending.len()).unwrap_or(u32::MAX);
    let wanted = count.saturating_mul(FULL_PERMILLE / 100).saturating_mul(percent);
    let (mut rest, mut raised) = (sum, 0);
    if sum >= wanted {
        return 0;
    }
    for (index, factor) in ascending.iter().enumerate() {
        raised += 1;
        rest -= factor;
        let floor = wanted.saturating_sub(rest).div_ceil(raised);
        let next = ascending.get(index + 1).copied().unwrap_or(FULL_PERMILLE);
        if floor <= next {
            return floor;
        }
    }
    FULL_PERMILLE
}
