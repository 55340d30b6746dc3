//! Deliberate faults in our own rules, to see that the simulator notices them. Only the feature `mutants` has the
//! switch; without it [`Mutant::is_on`] is `false` at compile time.

/// One rule broken on purpose.
#[cfg_attr(
    not(feature = "mutants"),
    expect(unreachable_pub, reason = "public where it has a switch")
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutant {
    /// One vote is a quorum.
    QuorumOfOne,
    /// A Down never waits for another cluster on its way down.
    NoCutRule,
    /// No observer ever abstains.
    NoSelfCheck,
    /// A datagram's delay is the difference of two machines' clocks.
    WallClock,
    /// A cluster that flaps is not withdrawn while it is suppressed.
    DampedWithdrawal,
}

impl Mutant {
    #[cfg(not(feature = "mutants"))]
    pub(crate) const fn is_on(self) -> bool {
        false
    }

    #[cfg(feature = "mutants")]
    pub(crate) fn is_on(self) -> bool {
        switch::ON.get() == Some(self)
    }
}

#[cfg(feature = "mutants")]
mod switch {
    use std::cell::Cell;

    use super::Mutant;

    thread_local! {
        pub(super) static ON: Cell<Option<Mutant>> = const { Cell::new(None) };
    }

    impl Mutant {
        pub const ALL: [Mutant; 5] = [
            Mutant::QuorumOfOne,
            Mutant::NoCutRule,
            Mutant::NoSelfCheck,
            Mutant::WallClock,
            Mutant::DampedWithdrawal,
        ];

        /// Run `work` with this rule broken, on this thread alone.
        pub fn during<T>(self, work: impl FnOnce() -> T) -> T {
            let before = ON.replace(Some(self));
            let done = work();
            ON.set(before);
            done
        }
    }
}
