//! A partial outage, as tests of what is told of it need one.

use lifeboat_health::{Cell, Family, FleetView, MonoTime, PartialOutage, Path};

/// The traffic path of cluster `a` is reached from `eu-west` and not from these; from everywhere where there is none.
pub(in crate::controller) fn not_reached_from(regions: &[&str]) -> FleetView {
    let partial = (!regions.is_empty()).then(|| PartialOutage {
        since: MonoTime::ZERO,
        reached: vec!["eu-west".to_owned()],
        not_reached: regions.iter().map(|region| (*region).to_owned()).collect(),
    });
    let cell = Cell {
        partial,
        ..Cell::default()
    };
    let mut verdicts = FleetView::default();
    let key = ("a".to_owned(), Path::Traffic, Family::V4);
    verdicts.cells.insert(key, cell);
    verdicts
}
