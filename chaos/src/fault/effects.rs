//! What all faults in force on one cluster come to, and who carries it out.

use std::time::Duration;

use super::{FaultKind, GateMode, GateState};

/// The condition of one cluster; the sum of every fault in force on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effects {
    /// Whether the machines run; without power all pods are lost.
    pub powered: bool,
    /// The gate of the API server.
    pub api: GateState,
    /// The gate of the ingress VIP.
    pub vip: GateState,
}

impl Default for Effects {
    fn default() -> Self {
        Self {
            powered: true,
            api: GateState::default(),
            vip: GateState::default(),
        }
    }
}

impl Effects {
    /// Composes faults: silence beats refusal, which beats an open gate; of several delays the longest counts.
    pub fn of(faults: impl IntoIterator<Item = (FaultKind, Duration)>) -> Self {
        let mut effects = Self::default();
        for (kind, delay) in faults {
            match kind {
                FaultKind::PowerOff => {
                    effects.powered = false;
                    silence(&mut effects.api);
                    silence(&mut effects.vip);
                }
                FaultKind::BlackHole => {
                    silence(&mut effects.api);
                    silence(&mut effects.vip);
                }
                FaultKind::ApiDown => silence(&mut effects.api),
                FaultKind::VipDown => {
                    if effects.vip.mode == GateMode::Open {
                        effects.vip.mode = GateMode::Refusing;
                    }
                }
                FaultKind::Slow => {
                    effects.api.delay = effects.api.delay.max(delay);
                    effects.vip.delay = effects.vip.delay.max(delay);
                }
                FaultKind::ControllerDown => {}
            }
        }
        effects
    }
}

fn silence(gate: &mut GateState) {
    gate.mode = GateMode::Silent;
}

/// A cluster that faults act on.
pub trait FaultTarget: Send + Sync {
    /// The name by which faults call it.
    fn name(&self) -> &str;

    /// Brings the cluster into this condition; in force when it returns. Called again with the same condition it
    /// does nothing.
    fn apply(&self, effects: Effects);
}

/// Stops and starts the controller, for `controller-down`.
pub trait ControllerSwitch: Send + Sync {
    /// In force, or certain to be within milliseconds, when it returns; the same value twice does nothing.
    fn set_running(&self, running: bool);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(faults: &[FaultKind], powered: bool, api: GateMode, vip: GateMode) {
        let effects = Effects::of(faults.iter().map(|kind| (*kind, Duration::from_millis(5))));
        assert_eq!(
            (effects.powered, effects.api.mode, effects.vip.mode),
            (powered, api, vip),
            "{faults:?}"
        );
    }

    #[test]
    fn faults_compose() {
        use FaultKind::{ApiDown, BlackHole, ControllerDown, PowerOff, Slow, VipDown};
        use GateMode::{Open, Refusing, Silent};
        check(&[], true, Open, Open);
        check(&[PowerOff], false, Silent, Silent);
        check(&[BlackHole], true, Silent, Silent);
        check(&[ApiDown], true, Silent, Open);
        check(&[VipDown], true, Open, Refusing);
        check(&[VipDown, BlackHole], true, Silent, Silent);
        check(&[BlackHole, VipDown], true, Silent, Silent);
        check(&[ApiDown, VipDown], true, Silent, Refusing);
        check(&[Slow, ControllerDown], true, Open, Open);
    }

    #[test]
    fn the_longest_delay_counts() {
        let delays = [
            Duration::from_millis(5),
            Duration::from_millis(9),
            Duration::from_millis(7),
        ];
        let effects = Effects::of(delays.map(|delay| (FaultKind::Slow, delay)));
        assert_eq!((effects.api.delay, effects.vip.delay), (delays[1], delays[1]));
    }
}
