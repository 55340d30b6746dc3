//! Countries and continents by their two letters, and points on the globe.

use crate::input::Location;

/// Where a network is, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// By ISO 3166-1; 0 where it is not known.
    pub(crate) country: u16,
    /// As GeoNames and MaxMind have them: AF, AN, AS, EU, NA, OC, SA; 0 where it is not known.
    pub(crate) continent: u16,
    pub(crate) location: Option<Location>,
}

/// Two letters as a number; `None` for anything else.
pub(crate) fn code(letters: &str) -> Option<u16> {
    let letters = <[u8; 2]>::try_from(letters.as_bytes()).ok()?;
    letters
        .iter()
        .all(u8::is_ascii_uppercase)
        .then(|| u16::from_be_bytes(letters))
}

pub(crate) fn code_text(code: u16) -> String {
    code.to_be_bytes().map(char::from).iter().collect()
}

/// A point on the unit sphere: the chord between two of them orders as the great circle does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point([f32; 3]);

impl Point {
    #[expect(clippy::cast_possible_truncation, reason = "a few metres do not matter")]
    pub(crate) fn of(location: Location) -> Self {
        let (latitude, longitude) = (
            location.latitude.degrees().to_radians(),
            location.longitude.degrees().to_radians(),
        );
        Self([
            (latitude.cos() * longitude.cos()) as f32,
            (latitude.cos() * longitude.sin()) as f32,
            latitude.sin() as f32,
        ])
    }

    /// The square of the chord to another point.
    pub(crate) fn chord2(self, other: Self) -> f32 {
        let [x, y, z] = [0, 1, 2].map(|axis: usize| self.0[axis] - other.0[axis]);
        x * x + y * y + z * z
    }

    /// The great circle over the square of a chord.
    pub(crate) fn kilometres(chord2: f32) -> f64 {
        const EARTH_RADIUS_KM: f64 = 6_371.0;
        let half_chord = (f64::from(chord2).sqrt() / 2.0).min(1.0);
        2.0 * EARTH_RADIUS_KM * half_chord.asin()
    }
}
