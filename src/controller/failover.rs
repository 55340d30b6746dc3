//! The loop of the slow tier: verdicts to conditions, links, failover plans and standing plans.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use lifeboat_health::Verdict;

use super::{
    Context, Leadership, LeadershipError, conditions,
    metrics::ClusterLabel,
    observers,
    placed::Placed,
    policies,
    propagation::wall,
    reader,
    status::{Inputs, Status},
    told::Told,
};
use crate::{
    failover::{
        self, BindingView, ClusterHealth, FailoverPlan, Settings, Standing, State,
        executor::{self, Step},
        intents,
    },
    member::Links,
    schedule::{self, ClusterView},
    store,
};

/// How often a plan is made.
const TICK: Duration = Duration::from_millis(100);
/// Steps of a plan that are carried out at once.
const CONCURRENCY: usize = 16;
/// How often the standing plans are made anew, and what is over is cleared away.
const STANDING: Duration = Duration::from_secs(5);

/// Runs until leadership is lost.
#[expect(clippy::disallowed_methods, reason = "times its own preview")]
pub(super) async fn run(
    context: &Arc<Context>,
    mut leadership: Leadership,
    defaults: &Settings,
    pod_start: Duration,
) -> LeadershipError {
    let kinds = &context.kinds;
    let mut links = Links::new(
        context.index.clone(),
        context.writer.clone(),
        kinds.work.clone(),
        kinds.cluster.clone(),
        kinds.secret.clone(),
    );
    let mut pictures = Pictures::default();
    let mut state = State::resume(intents::health_epochs(&context.index, kinds));
    let mut told = Told::default();
    let mut placed = Placed::default();
    let mut standing: (Option<tokio::time::Instant>, Arc<Vec<(String, Standing)>>) = (None, Arc::default());
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let now = context.clock.now();
        let Picture {
            registered,
            clusters,
            bindings,
            settings,
        } = pictures.current(context, defaults);
        let budget = leadership.tokens(settings.rate, now);
        let verdicts = context.verdicts();
        let inputs = Arc::new(Inputs {
            now,
            wall: wall(),
            health: reader::health(&verdicts),
            clusters,
            bindings,
            settings,
            budget,
            epoch: leadership.epoch,
            pod_start,
        });
        follow_members(context, &mut links, &inputs);
        let stamp = store::conditions::stamp(inputs.wall);
        let reports = conditions::writes(
            &context.index,
            kinds,
            &verdicts,
            context.consumer.profile(),
            &inputs.health,
            links.refused(),
            &stamp,
        );
        context.writer.all(reports).await;
        let heard = observers::writes(
            &context.index,
            kinds,
            (&verdicts, context.consumer.profile()),
            inputs.wall,
        );
        context.writer.all(heard).await;
        let plan = failover::plan(&mut state, &inputs.world());
        let reports = policies::reports(&context.index, kinds, &registered, plan.freeze, &stamp);
        context.writer.all(reports).await;
        told.tell(&context.timeline, &plan, &inputs.bindings, &verdicts);
        placed.tell(&context.timeline, &plan, &inputs.bindings, &registered);
        measure(context, &inputs, &plan);
        if !plan.changes_nothing()
            && let Err(error) = carry_out(context, &mut leadership, &plan).await
        {
            match error {
                LeadershipError::Lost { .. } => return error,
                LeadershipError::Api { .. }
                | LeadershipError::Timeout { .. }
                | LeadershipError::Contended => {
                    tracing::warn!(error = %error, "failover plan not carried out, made anew");
                }
            }
        }
        if standing.0.is_none_or(|at| at.elapsed() >= STANDING) {
            let clusters = inputs.clusters.iter().map(|cluster| cluster.name.clone());
            let plans = clusters
                .map(|name| (name.clone(), inputs.if_lost(&[name])))
                .collect();
            standing = (Some(tokio::time::Instant::now()), Arc::new(plans));
            let is_lost = |cluster: &str| inputs.health.get(cluster).is_some_and(ClusterHealth::is_lost);
            let over = intents::garbage(&context.index, kinds, is_lost);
            context.writer.all(over).await;
            context.metrics.works_not_applied.set(not_applied(context));
        }
        context.status.store(Arc::new(Status {
            running: true,
            epoch: leadership.epoch,
            fleet_uid: leadership.fleet_uid.clone(),
            freeze: plan.freeze,
            hold: inputs.settings.hold,
            holds: plan.holds,
            no_target: plan.no_target,
            fresh: context.fresh.load_full(),
            standing: standing.1.clone(),
            inputs: Some(inputs),
        }));
    }
}

/// What the planner reads of the index. It looks ten times a second; the index rarely changes as often.
#[derive(Default)]
struct Pictures {
    last: Option<(u64, Arc<BTreeSet<String>>, Picture)>,
}

#[derive(Clone)]
struct Picture {
    registered: Arc<Vec<ClusterView>>,
    /// Without those that were never seen: one that is still being joined says nothing about the fleet.
    clusters: Arc<Vec<ClusterView>>,
    bindings: Arc<Vec<BindingView>>,
    settings: Arc<Settings>,
}

impl Pictures {
    fn current(&mut self, context: &Context, defaults: &Settings) -> Picture {
        // The version is read first: what changes meanwhile is read again in the next tick.
        let version = context.index.version();
        let fresh = context.fresh.load_full();
        if let Some((at, members, picture)) = &self.last
            && *at == version
            && *members == fresh
        {
            return picture.clone();
        }
        let (index, kinds) = (&context.index, &context.kinds);
        let registered = schedule::reconcile::cluster_views(index, kinds);
        let unseen: BTreeSet<String> = index
            .list(&kinds.cluster)
            .iter()
            .filter(|cluster| !conditions::seen(cluster))
            .map(|cluster| store::name(cluster).to_owned())
            .collect();
        let seen = registered
            .iter()
            .filter(|cluster| !unseen.contains(&cluster.name))
            .cloned()
            .collect();
        let picture = Picture {
            bindings: Arc::new(reader::bindings(index, kinds, &fresh)),
            settings: Arc::new(policies::settings(index, kinds, &registered, defaults)),
            clusters: Arc::new(seen),
            registered: Arc::new(registered),
        };
        self.last = Some((version, fresh, picture.clone()));
        picture
    }
}

/// A link ends while its cluster's control path is Down, so that it starts with fresh lists afterwards.
fn follow_members(context: &Context, links: &mut Links, inputs: &Inputs) {
    let down: BTreeSet<String> = inputs
        .health
        .iter()
        .filter(|(_, health)| health.control == Verdict::Down)
        .map(|(name, _)| name.clone())
        .collect();
    links.set(&context.index.list(&context.kinds.cluster), &down);
    let fresh = links.fresh();
    if **context.fresh.load() != fresh {
        context.fresh.store(Arc::new(fresh));
    }
}

/// Spends the budget, which also proves the epoch, then writes in the plan's order.
async fn carry_out(
    context: &Context,
    leadership: &mut Leadership,
    plan: &FailoverPlan,
) -> Result<(), LeadershipError> {
    let evictions = plan
        .evictions
        .iter()
        .map(|eviction| eviction.from.len())
        .sum::<usize>();
    let evictions = u32::try_from(evictions).unwrap_or(u32::MAX);
    if !leadership.spend(evictions, context.clock.now()).await? {
        return Ok(());
    }
    for eviction in &plan.evictions {
        for cluster in &eviction.from {
            let to: Vec<String> = eviction
                .clusters
                .iter()
                .map(|target| format!("{} {}", target.name, target.replicas))
                .collect();
            let detail = format!("{}: {}; now {}", eviction.binding, eviction.reason, to.join(", "));
            context
                .timeline
                .push("failover.evict.started", Some(cluster), detail);
        }
    }
    for step in &plan.movements {
        let kind = if step.finished {
            context.metrics.failbacks.inc();
            "failover.failback.done"
        } else {
            "failover.failback"
        };
        context.timeline.push(
            kind,
            None,
            format!("{}: {:?}: {}", step.binding, step.phase, step.reason),
        );
    }
    let steps = executor::steps(plan, &context.index, &context.kinds);
    stream::iter(steps)
        .for_each_concurrent(CONCURRENCY, |step| carry_out_step(context, step))
        .await;
    Ok(())
}

/// Nothing is evicted whose intent does not stand.
async fn carry_out_step(context: &Context, step: Step) {
    let Step {
        evicts,
        intents,
        write,
    } = step;
    for intent in &intents {
        if !context.writer.done(intent).await {
            return;
        }
    }
    if context.writer.done(&write).await {
        for cluster in evicts {
            context
                .metrics
                .evictions
                .get_or_create(&ClusterLabel { cluster })
                .inc();
        }
    }
}

/// What the last plan was made from and what it says, in numbers.
fn measure(context: &Context, inputs: &Inputs, plan: &FailoverPlan) {
    let metrics = &context.metrics;
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let away = inputs.bindings.iter().filter(|binding| !binding.home.is_empty());
    metrics.frozen.set(i64::from(plan.freeze));
    metrics.budget_tokens.set(i64::from(inputs.budget.0));
    metrics.without_target.set(count(plan.no_target.len()));
    metrics.displaced.set(count(away.count()));
}

/// Works whose members have not said that they applied them.
fn not_applied(context: &Context) -> i64 {
    let works = context.index.list(&context.kinds.work);
    let missing = works.iter().filter(|work| {
        store::conditions::find(work, "Applied").is_none_or(|applied| applied["status"] != "True")
    });
    i64::try_from(missing.count()).unwrap_or(i64::MAX)
}
