//! Seeded draws. Written out here, so that a seed means the same run whatever version of whatever crate is linked.

/// The finaliser of splitmix64: a bijection that spreads every input bit over all output bits.
pub const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// One stream of draws (splitmix64). Give every actor its own, so that what one of them draws shifts no other.
#[derive(Clone, Debug)]
pub struct Draws(u64);

impl Draws {
    /// The stream `label` of a seed.
    pub const fn new(seed: u64, label: u64) -> Draws {
        Draws(mix(seed
            ^ mix(
                label.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d
            )))
    }

    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// From `0..bound`; 0 when the bound is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        let scaled = (u128::from(self.bits()) * u128::from(bound)) >> 64;
        u64::try_from(scaled).unwrap_or(0)
    }

    /// From `least..=most`.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most.saturating_sub(least).saturating_add(1))
    }

    /// An index into something of that length; 0 for something empty.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or(0)
    }

    /// From `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A subset of `0..of` with that many members, in order.
    pub fn some(&mut self, count: usize, of: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..of).collect();
        for at in 0..count.min(of) {
            let other = at + self.index(of - at);
            all.swap(at, other);
        }
        all.truncate(count);
        all.sort_unstable();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_one_seed_differ_and_repeat() {
        let first = |seed, label| Draws::new(seed, label).bits();
        assert_eq!(first(1, 2), first(1, 2));
        assert_ne!(first(1, 2), first(1, 3));
        assert_ne!(first(1, 2), first(2, 2));
    }

    #[test]
    fn draws_keep_their_bounds() {
        let mut draws = Draws::new(7, 0);
        for _ in 0..1_000 {
            assert!(draws.below(3) < 3);
            assert!((5..=9).contains(&draws.between(5, 9)));
            assert!((0.0..1.0).contains(&draws.unit()));
            let some = draws.some(2, 5);
            assert!(some.len() == 2 && some[0] < some[1] && some[1] < 5);
        }
        assert_eq!(draws.below(0), 0);
        assert_eq!(draws.some(9, 3), [0, 1, 2]);
    }
}
