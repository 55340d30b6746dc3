//! The last hundred outcomes, one bit each.

const MASK: u128 = (1 << 100) - 1;
const OLDEST: u128 = 1 << 99;

/// Good ones among the last 100 outcomes; what has not happened yet counts as not good.
#[derive(Clone, Copy, Debug, Default)]
pub struct Window {
    bits: u128,
    /// Of those, set; rows are made as often as outcomes come.
    good: u8,
}

impl Window {
    pub fn push(&mut self, good: bool) {
        self.good -= u8::from(self.bits & OLDEST != 0);
        self.good += u8::from(good);
        self.bits = ((self.bits << 1) | u128::from(good)) & MASK;
    }

    /// Make the latest outcome that is not good yet one that is.
    pub fn mark(&mut self) {
        if self.bits != MASK {
            self.bits |= self.bits + 1;
            self.good += 1;
        }
    }

    pub fn good(self) -> u8 {
        self.good
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
        assert_eq!((window.bits & 0b1111, window.good()), (0b1011, 3));
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

    #[test]
    fn the_count_is_that_of_the_bits() {
        let mut window = Window::default();
        for n in 0..2_000_u32 {
            if n % 7 == 3 {
                window.mark();
            } else {
                window.push(n.is_multiple_of(3) || n % 300 < 120);
            }
            assert_eq!(u32::from(window.good()), window.bits.count_ones());
        }
    }
}
