//! How far a Deployment's ReplicaSets may move in one step.
//!
//! The rule of the real controller: at most `desired + surge` pods in all, at least `desired - unavailable`
//! available ones; broken old pods go first, because nobody misses them.

/// One ReplicaSet as the rollout sees it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Step {
    /// Asked for.
    pub(crate) replicas: i64,
    /// Serving now.
    pub(crate) available: i64,
}

#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) desired: i64,
    pub(crate) recreate: bool,
    /// Whether any pod of an old ReplicaSet is left, terminating ones included.
    pub(crate) old_pods: bool,
    pub(crate) surge: i64,
    pub(crate) unavailable: i64,
    pub(crate) current: Step,
    /// Oldest first.
    pub(crate) old: Vec<Step>,
}

/// The replicas to ask for next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) current: i64,
    pub(crate) old: Vec<i64>,
}

pub(crate) fn plan(input: &Input) -> Plan {
    if input.recreate {
        recreate(input)
    } else {
        roll(input)
    }
}

fn recreate(input: &Input) -> Plan {
    let empty = !input.old_pods && input.old.iter().all(|set| set.replicas == 0);
    Plan {
        current: if empty {
            input.desired
        } else {
            input.current.replicas.min(input.desired)
        },
        old: vec![0; input.old.len()],
    }
}

fn roll(input: &Input) -> Plan {
    let desired = input.desired;
    // Both zero would never move.
    let unavailable = if input.surge == 0 && input.unavailable == 0 {
        1
    } else {
        input.unavailable.min(desired)
    };
    let old_total: i64 = input.old.iter().map(|set| set.replicas).sum();
    let current = if input.current.replicas >= desired {
        desired
    } else {
        let room = (desired + input.surge - input.current.replicas - old_total).max(0);
        input.current.replicas + room.min(desired - input.current.replicas)
    };

    let total = old_total + current;
    let least = desired - unavailable;
    let not_yet = (current - input.current.available).max(0);
    let mut spare = (total - least - not_yet).max(0);
    let mut old: Vec<i64> = input.old.iter().map(|set| set.replicas).collect();
    for (replicas, set) in old.iter_mut().zip(&input.old) {
        let broken = (set.replicas - set.available).clamp(0, spare);
        *replicas -= broken;
        spare -= broken;
    }
    let available: i64 = input.current.available.min(current)
        + input
            .old
            .iter()
            .zip(&old)
            .map(|(set, replicas)| set.available.min(*replicas))
            .sum::<i64>();
    let mut spare = (available - least).max(0);
    for replicas in &mut old {
        let fewer = (*replicas).min(spare);
        *replicas -= fewer;
        spare -= fewer;
    }
    Plan { current, old }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(current: (i64, i64), old: &[(i64, i64)], expected: (i64, &[i64])) {
        let step = |(replicas, available): (i64, i64)| Step { replicas, available };
        let input = Input {
            desired: 10,
            recreate: false,
            old_pods: !old.is_empty(),
            surge: 3,
            unavailable: 2,
            current: step(current),
            old: old.iter().copied().map(step).collect(),
        };
        let plan = plan(&input);
        assert_eq!((plan.current, plan.old.as_slice()), expected, "{input:?}");
    }

    #[test]
    fn steps_of_a_rolling_update() {
        check((0, 0), &[], (10, &[]));
        check((0, 0), &[(10, 10)], (3, &[8]));
        check((3, 0), &[(8, 8)], (5, &[8]));
        check((5, 3), &[(8, 8)], (5, &[5]));
        check((8, 8), &[(5, 5)], (8, &[0]));
        check((8, 8), &[(0, 0)], (10, &[0]));
        check((12, 12), &[], (10, &[]));
        // A broken new revision stops with enough old pods serving.
        check((5, 0), &[(8, 8)], (5, &[8]));
        // Broken old pods go first.
        check((3, 3), &[(4, 0), (6, 6)], (3, &[0, 5]));
    }

    #[test]
    fn a_rolling_update_never_breaks_its_bounds() {
        let mut draw = fastrand::Rng::with_seed(7);
        for _ in 0..10_000 {
            let desired = draw.i64(0..20);
            let (surge, unavailable) = (draw.i64(0..6), draw.i64(0..6));
            let mut step = |most: i64| {
                let replicas = draw.i64(0..=most);
                Step {
                    replicas,
                    available: draw.i64(0..=replicas),
                }
            };
            let input = Input {
                desired,
                recreate: false,
                old_pods: true,
                surge,
                unavailable,
                current: step(desired),
                old: vec![step(desired), step(desired)],
            };
            let plan = plan(&input);
            let before: i64 = input.current.replicas + input.old.iter().map(|set| set.replicas).sum::<i64>();
            let after: i64 = plan.current + plan.old.iter().sum::<i64>();
            assert!(after <= before.max(desired + surge), "{input:?} {plan:?}");
            let serving = |sets: &[i64]| -> i64 {
                input
                    .old
                    .iter()
                    .zip(sets)
                    .map(|(set, replicas)| set.available.min(*replicas))
                    .sum()
            };
            let before: i64 =
                input.current.available + input.old.iter().map(|set| set.available).sum::<i64>();
            let after = input.current.available.min(plan.current) + serving(&plan.old);
            let least = desired - unavailable.max(i64::from(surge == 0));
            assert!(after >= before.min(least), "{input:?} {plan:?}");
        }
    }

    #[test]
    fn recreate_waits_until_nothing_old_is_left() {
        let mut input = Input {
            desired: 3,
            recreate: true,
            old_pods: true,
            surge: 1,
            unavailable: 1,
            current: Step::default(),
            old: vec![Step {
                replicas: 3,
                available: 3,
            }],
        };
        assert_eq!(
            plan(&input),
            Plan {
                current: 0,
                old: vec![0]
            }
        );
        input.old[0] = Step::default();
        assert_eq!(
            plan(&input),
            Plan {
                current: 0,
                old: vec![0]
            }
        );
        input.old_pods = false;
        assert_eq!(
            plan(&input),
            Plan {
                current: 3,
                old: vec![0]
            }
        );
    }
}
