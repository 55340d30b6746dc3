//! The last hundred outcomes, one bit each.

const MASK: u128 = (1 << 100) - 1;

/// Good ones among the last 100 outcomes; what has not happened yet counts as not good.
#[derive(Clone, Copy, Debug, Default)]
pub struct Window(u128);

impl Window {
    pub fn push(&mut self, good: bool) {
        self.0 = ((self.0 << 1) | u128::from(good)) & MASK;
    }

    /// Make the latest outcome that is not good yet one that is.
    pub fn mark(&mut self) {
        self.0 = (self.0 | (self.0 + 1)) & MASK;
    }

    pub fn good(self) -> u8 {
        u8::try_from(self.0.count_ones()).unwrap_or(100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_that_is_not_good_is_marked() {
        let mut window = Window::default();
        [true, false, false, true]
            .into_iter()
            .for_each(|good| window.push(good));
        window.mark();
        assert_eq!(window.0 & 0b1111, 0b1011);
        (0..200).for_each(|_| window.mark());
        assert_eq!(window.good(), 100);
    }

    #[test]
    fn only_the_last_hundred_count() {
        let mut window = Window::default();
        (0..50).for_each(|_| window.push(true));
        assert_eq!(window.good(), 50);
        (0..80).for_each(|_| window.push(true));
        assert_eq!(window.good(), 100);
        (0..30).for_each(|_| window.push(false));
        assert_eq!(window.good(), 70);
        (0..100).for_each(|_| window.push(false));
        assert_eq!(window.good(), 0);
    }
}
