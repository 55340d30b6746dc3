//! The last hundred outcomes, one bit each.

const MASK: u128 = (1 << 100) - 1;

/// Good ones among the last 100 outcomes; what has not happened yet counts as not good.
#[derive(Clone, Copy, Debug, Default)]
pub struct Window(u128);

impl Window {
    pub fn push(&mut self, good: bool) {
        self.0 = ((self.0 << 1) | u128::from(good)) & MASK;
    }

    pub fn good(self) -> u8 {
        u8::try_from(self.0.count_ones()).unwrap_or(100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
