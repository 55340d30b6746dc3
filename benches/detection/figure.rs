//! A figure: what is asked of it and what was measured, as a row of a table.

pub(crate) struct Figure {
    what: &'static str,
    asked: Asked,
    unit: &'static str,
    measured: f64,
}

#[derive(Clone, Copy)]
enum Asked {
    AtMost(f64),
    AtLeast(f64),
    /// Shown to be compared, and not asked.
    Nothing,
}

impl Figure {
    pub(crate) fn at_most(what: &'static str, most: f64, unit: &'static str, measured: f64) -> Figure {
        Figure {
            what,
            asked: Asked::AtMost(most),
            unit,
            measured,
        }
    }

    /// Without so much of it the others would say nothing.
    pub(crate) fn at_least(what: &'static str, least: f64, unit: &'static str, measured: f64) -> Figure {
        Figure {
            what,
            asked: Asked::AtLeast(least),
            unit,
            measured,
        }
    }

    pub(crate) fn shown(what: &'static str, unit: &'static str, measured: f64) -> Figure {
        Figure {
            what,
            asked: Asked::Nothing,
            unit,
            measured,
        }
    }

    pub(crate) fn met(&self) -> bool {
        match self.asked {
            Asked::AtMost(most) => self.measured <= most,
            Asked::AtLeast(least) => self.measured >= least,
            Asked::Nothing => true,
        }
    }
}

pub(crate) fn print(figures: &[Figure]) {
    println!("| figure | asked | measured | |");
    println!("|---|---|---|---|");
    for figure in figures {
        let Figure {
            what,
            asked,
            unit,
            measured,
        } = figure;
        let (asked, met) = match asked {
            Asked::Nothing => (String::new(), ""),
            Asked::AtMost(most) => (format!("≤ {most} {unit}"), word(figure)),
            Asked::AtLeast(least) => (format!("≥ {least} {unit}"), word(figure)),
        };
        println!("| {what} | {asked} | {} {unit} | {met} |", rounded(*measured));
    }
}

fn word(figure: &Figure) -> &'static str {
    if figure.met() { "met" } else { "MISSED" }
}

/// Three digits behind the point where there is anything before a thousand.
fn rounded(value: f64) -> String {
    if value.fract() == 0.0 || value >= 1_000.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.3}")
    }
}
