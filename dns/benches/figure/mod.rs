//! Figures that benchmarks hold against what they must be, printed as a table.

/// One figure, and what it must be at most.
pub(crate) struct Figure {
    name: &'static str,
    unit: &'static str,
    most: Option<f64>,
}

pub(crate) const fn figure(name: &'static str, unit: &'static str, most: Option<f64>) -> Figure {
    Figure { name, unit, most }
}

/// Begins the table.
pub(crate) fn heads() {
    println!("| figure | measured | at most | |\n|---|---|---|---|");
}

/// Prints the figures of one scenario; whether all are what they must be.
pub(crate) fn print(figures: &[Figure], values: &[f64]) -> bool {
    let mut kept = true;
    for (Figure { name, unit, most }, value) in figures.iter().zip(values) {
        let holds = most.is_none_or(|most| *value <= most);
        kept &= holds;
        let asked = most.map_or(String::new(), |most| format!("{most} {unit}"));
        let verdict = match (most, holds) {
            (None, _) => "",
            (Some(_), true) => "kept",
            (Some(_), false) => "NOT KEPT",
        };
        println!("| {name} | {value:.2} {unit} | {asked} | {verdict} |");
    }
    kept
}
