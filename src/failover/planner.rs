//! One step of the planner: brakes, then evictions, then planned moves, then the end of tasks.

use std::collections::BTreeSet;

use super::{
    brakes,
    companions::{self, Drawn},
    evacuate, failback,
    ledger::Ledger,
    output::FailoverPlan,
    state::State,
    tasks,
    world::{BindingId, World},
};

/// Decides what is to be written now. The state is changed to remember timers, and nothing else decides:
/// the same state and world give the same plan. A world of an epoch that is past gives an empty plan.
pub fn plan(state: &mut State, world: &World<'_>) -> FailoverPlan {
    if world.epoch < state.epoch {
        return FailoverPlan {
            epoch: world.epoch,
            ..FailoverPlan::default()
        };
    }
    #[cfg(debug_assertions)]
    let before = state.clone();
    state.epoch = world.epoch;

    let braked = brakes::step(state, world);
    let mut ledger = Ledger::new(state, world);
    let evacuation = evacuate::decide(world, &braked, &mut ledger);
    let mut touched: BTreeSet<BindingId> = evacuation
        .evictions
        .iter()
        .map(|eviction| eviction.binding.clone())
        .collect();
    let (movements, moving) = failback::decide(state, world, &braked, &mut ledger, &touched);
    touched.extend(movements.iter().map(|step| step.binding.clone()));
    let drawn = Drawn::new(world, &evacuation.evictions, &movements);
    let extensions = companions::decide(world, &braked, &drawn, &touched);
    touched.extend(extensions.iter().map(|extension| extension.binding.clone()));
    let task_ends = tasks::decide(world, &braked, &touched);
    ledger.commit(state, world.now);

    let mut holds = braked.notices;
    holds.extend(evacuation.notices);
    holds.extend(moving);
    let mut plan = FailoverPlan {
        epoch: world.epoch,
        seq: state.seq,
        freeze: braked.freeze,
        extensions,
        evictions: evacuation.evictions,
        movements,
        task_ends,
        holds,
        no_target: evacuation.no_target,
    };
    if !plan.changes_nothing() {
        state.seq += 1;
        plan.seq = state.seq;
    }
    #[cfg(debug_assertions)]
    {
        let broken = super::invariants::all(&super::invariants::Step {
            before: &before,
            after: state,
            world,
            plan: &plan,
        });
        debug_assert!(broken.is_empty(), "{broken:?}");
    }
    plan
}
