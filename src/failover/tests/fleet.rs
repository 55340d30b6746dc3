//! A fleet that does what plans say: clusters with capacity, pods that take time, reports that stop with the
//! API server, an executor that writes at once. It keeps the story, and it fails when a ready copy that was
//! needed is deleted.

mod make;

use std::{collections::BTreeMap, fmt::Write, time::Duration};

use lifeboat_health::{MonoTime, Verdict};

use crate::{
    failover::{
        BindingId, BindingView, ClusterHealth, FailoverPlan, Movement, Settings, State, TaskView, World,
        budget::{Bucket, Rate},
        plan,
    },
    schedule::ClusterView,
};
pub(super) use make::{among, divided, duplicated, names, placed, service, view};

pub(super) const FIVE: [&str; 5] = ["a", "b", "c", "d", "e"];

/// Who a pod belongs to, and when it was started.
type Pods = BTreeMap<BindingId, Vec<MonoTime>>;

pub(super) struct Cluster {
    pub(super) view: ClusterView,
    pub(super) health: ClusterHealth,
    pub(super) powered: bool,
    pub(super) api: bool,
    /// Pods started here never become ready.
    pub(super) broken: bool,
    /// What was last applied here.
    applied: BTreeMap<BindingId, i32>,
    pods: Pods,
    /// When Recovering becomes Up.
    up_at: Option<MonoTime>,
}

pub(super) struct Fleet {
    pub(super) now: MonoTime,
    pub(super) clusters: BTreeMap<String, Cluster>,
    pub(super) bindings: Vec<BindingView>,
    pub(super) settings: Settings,
    pub(super) state: State,
    pub(super) epoch: u64,
    pub(super) pod_start: Duration,
    pub(super) evictions: usize,
    pub(super) deleted_ready: usize,
    pub(super) last: FailoverPlan,
    budget: Bucket,
    story: String,
    version: u64,
}

impl Fleet {
    /// Clusters with ten cores each, all Up.
    pub(super) fn new(names: &[&str]) -> Self {
        let up = ClusterHealth {
            traffic: Verdict::Up,
            control: Verdict::Up,
            returned_since: None,
        };
        let cluster = |name: &&str| {
            let cluster = Cluster {
                view: view(name, 10_000),
                health: up,
                powered: true,
                api: true,
                broken: false,
                applied: BTreeMap::new(),
                pods: Pods::new(),
                up_at: None,
            };
            ((*name).to_owned(), cluster)
        };
        let now = MonoTime::from_millis(1_000_000);
        Self {
            now,
            clusters: names.iter().map(cluster).collect(),
            bindings: Vec::new(),
            settings: Settings {
                hold: Duration::from_secs(5),
                ..Settings::default()
            },
            state: State::default(),
            epoch: 1,
            pod_start: Duration::from_secs(2),
            evictions: 0,
            deleted_ready: 0,
            last: FailoverPlan::default(),
            budget: Bucket::full(Rate::default(), now),
            story: String::new(),
            version: 1,
        }
    }

    /// Adds a binding whose pods are ready.
    pub(super) fn with(mut self, binding: BindingView) -> Self {
        let old = self.now.saturating_sub(Duration::from_secs(600));
        for target in &binding.clusters {
            if let Some(cluster) = self.clusters.get_mut(&target.name) {
                cluster.applied.insert(binding.id.clone(), target.replicas);
                let replicas = usize::try_from(target.replicas).unwrap();
                cluster.pods.insert(binding.id.clone(), vec![old; replicas]);
            }
        }
        self.bindings.push(binding);
        self.report();
        self
    }

    pub(super) fn budget(mut self, per_second: u32, burst: u32) -> Self {
        self.budget = Bucket::full(Rate { per_second, burst }, self.now);
        self
    }

    pub(super) fn cluster(&mut self, name: &str) -> &mut Cluster {
        self.clusters.get_mut(name).unwrap()
    }

    pub(super) fn binding(&self, name: &str) -> &BindingView {
        self.bindings
            .iter()
            .find(|binding| binding.id.name == name)
            .unwrap()
    }

    /// `a3 b3` for the binding's clusters.
    pub(super) fn placed(&self, name: &str) -> String {
        placed(&self.binding(name).clusters)
    }

    pub(super) fn say(&mut self, text: &str) {
        let at = self
            .now
            .saturating_since(MonoTime::from_millis(1_000_000))
            .as_secs();
        writeln!(self.story, "{at:>4}s {text}").unwrap();
    }

    pub(super) fn story(&self) -> &str {
        &self.story
    }

    pub(super) fn power_off(&mut self, names: &[&str]) {
        for name in names {
            self.say(&format!("power-off {name}"));
            let cluster = self.cluster(name);
            cluster.powered = false;
            cluster.pods.clear();
            cluster.verdict(Verdict::Down, Verdict::Down);
        }
    }

    pub(super) fn power_on(&mut self, names: &[&str]) {
        for name in names {
            self.say(&format!("power-on {name}"));
            let now = self.now;
            let cluster = self.cluster(name);
            cluster.powered = true;
            cluster.pods = cluster
                .applied
                .iter()
                .map(|(id, n)| (id.clone(), vec![now; to_usize(*n)]))
                .collect();
            cluster.recover(now);
        }
    }

    /// The cluster cannot be seen, its pods run on.
    pub(super) fn black_hole(&mut self, names: &[&str]) {
        for name in names {
            self.say(&format!("black-hole {name}"));
            let cluster = self.cluster(name);
            cluster.api = false;
            cluster.verdict(Verdict::Down, Verdict::Down);
        }
    }

    pub(super) fn api_down(&mut self, names: &[&str]) {
        for name in names {
            self.say(&format!("api-down {name}"));
            let cluster = self.cluster(name);
            cluster.api = false;
            let traffic = cluster.health.traffic;
            cluster.verdict(traffic, Verdict::Down);
        }
    }

    pub(super) fn vip_down(&mut self, name: &str) {
        self.say(&format!("vip-down {name}"));
        self.cluster(name).verdict(Verdict::Down, Verdict::Up);
    }

    pub(super) fn see_again(&mut self, names: &[&str]) {
        for name in names {
            self.say(&format!("restored {name}"));
            let now = self.now;
            let cluster = self.cluster(name);
            cluster.api = true;
            cluster.recover(now);
        }
    }

    /// A controller that knows nothing takes over.
    pub(super) fn new_leader(&mut self) {
        self.say("new leader");
        self.state = State::default();
        self.epoch += 1;
    }

    pub(super) fn run(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.step();
        }
    }

    pub(super) fn step(&mut self) {
        self.now = self.now + Duration::from_secs(1);
        for cluster in self.clusters.values_mut() {
            if cluster.up_at.is_some_and(|at| at <= self.now) {
                cluster.up_at = None;
                cluster.verdict(Verdict::Up, Verdict::Up);
            }
        }
        self.report();
        let tokens = self.budget.tokens(self.now);
        let clusters = self.views();
        let health = self
            .clusters
            .iter()
            .map(|(name, cluster)| (name.clone(), cluster.health))
            .collect();
        let world = World {
            now: self.now,
            wall: jiff::Timestamp::UNIX_EPOCH,
            health: &health,
            clusters: &clusters,
            bindings: &self.bindings,
            settings: &self.settings,
            budget: tokens,
            epoch: self.epoch,
        };
        let mut state = self.state.clone();
        let plan = plan(&mut state, &world);
        // The same state and world give the same plan.
        assert_eq!(plan, super::super::plan(&mut self.state, &world));
        self.tell(&plan);
        self.execute(&plan);
        self.last = plan;
        self.sync();
    }

    /// What the member clusters would say they have left.
    pub(super) fn views(&self) -> Vec<ClusterView> {
        let left = |cluster: &Cluster| {
            let mut view = cluster.view.clone();
            for (id, pods) in &cluster.pods {
                let binding = self.bindings.iter().find(|binding| binding.id == *id);
                if let Some(binding) = binding.filter(|binding| binding.workload) {
                    view.free
                        .subtract(&binding.requirements, i64::try_from(pods.len()).unwrap());
                }
            }
            view
        };
        self.clusters.values().map(left).collect()
    }

    fn tell(&mut self, plan: &FailoverPlan) {
        if plan.freeze != self.last.freeze {
            self.say(if plan.freeze { "FREEZE" } else { "FREEZE ends" });
        }
        for stays in &plan.no_target {
            if !self.last.no_target.contains(stays) {
                self.say(&format!("no target for {}: {}", stays.binding, stays.message));
            }
        }
        for extension in &plan.extensions {
            self.say(&format!(
                "extend {} to {}",
                extension.binding,
                placed(&extension.clusters)
            ));
        }
        for eviction in &plan.evictions {
            let from = eviction.from.join(",");
            self.say(&format!(
                "evict {} from {from}: now {}",
                eviction.binding,
                placed(&eviction.clusters)
            ));
        }
        for step in &plan.movements {
            let phase = if step.finished {
                "home".to_owned()
            } else {
                format!("{:?}", step.phase).to_lowercase()
            };
            self.say(&format!(
                "{phase} {}: {} ({})",
                step.binding,
                placed(&step.clusters),
                step.reason
            ));
        }
        for end in &plan.task_ends {
            self.say(&format!(
                "task of {} in {} ends: {:?}",
                end.binding, end.cluster, end.reason
            ));
        }
    }

    fn execute(&mut self, plan: &FailoverPlan) {
        for extension in &plan.extensions {
            self.write(&extension.binding, |binding| {
                binding.clusters.clone_from(&extension.clusters);
                binding.home.clone_from(&extension.home);
            });
        }
        for eviction in &plan.evictions {
            self.evictions += eviction.from.len();
            assert!(
                self.budget
                    .take(u32::try_from(eviction.from.len()).unwrap(), self.now)
            );
            self.write(&eviction.binding, |binding| {
                binding.clusters.clone_from(&eviction.clusters);
                binding
                    .tasks
                    .retain(|task| !eviction.from.contains(&task.cluster));
                binding.tasks.extend(eviction.tasks.iter().map(|task| TaskView {
                    cluster: task.from_cluster.clone(),
                    replicas: task.replicas.unwrap_or(0),
                    producer: task.producer.clone(),
                    suppressed: task.suppress_deletion == Some(true),
                }));
                binding.home.clone_from(&eviction.home);
                binding.movement = None;
            });
        }
        for step in &plan.movements {
            self.write(&step.binding, |binding| {
                binding.clusters.clone_from(&step.clusters);
                binding
                    .tasks
                    .retain(|task| !step.ends_tasks.contains(&task.cluster));
                binding.home.clone_from(&step.home);
                let movement = Movement {
                    phase: step.phase,
                    target: step.target.clone(),
                };
                binding.movement = (!step.finished).then_some(movement);
            });
        }
        for end in &plan.task_ends {
            self.write(&end.binding, |binding| {
                binding.tasks.retain(|task| task.cluster != end.cluster)
            });
        }
    }

    fn write(&mut self, id: &BindingId, change: impl FnOnce(&mut BindingView)) {
        self.version += 1;
        let binding = self
            .bindings
            .iter_mut()
            .find(|binding| binding.id == *id)
            .unwrap();
        change(binding);
        binding.resource_version = self.version.to_string();
    }

    /// Members that can be reached do what the bindings say.
    fn sync(&mut self) {
        let needed: BTreeMap<BindingId, usize> = self
            .bindings
            .iter()
            .filter(|binding| binding.workload)
            .map(|binding| (binding.id.clone(), to_usize(binding.replicas)))
            .collect();
        let mut ready: BTreeMap<BindingId, usize> = BTreeMap::new();
        for cluster in self.clusters.values().filter(|cluster| cluster.powered) {
            for (id, pods) in &cluster.pods {
                *ready.entry(id.clone()).or_default() += self.ready_pods(cluster, pods);
            }
        }
        let (now, pod_start) = (self.now, self.pod_start);
        for (name, cluster) in self
            .clusters
            .iter_mut()
            .filter(|(_, cluster)| cluster.powered && cluster.api)
        {
            for binding in &self.bindings {
                let id = &binding.id;
                let scheduled = binding
                    .clusters
                    .iter()
                    .find(|target| target.name == *name)
                    .map(|t| t.replicas);
                let copy = binding.tasks.iter().any(|task| task.cluster == *name);
                let wanted = match scheduled {
                    Some(replicas) => Some(replicas),
                    None if copy => cluster.applied.get(id).copied(),
                    None => None,
                };
                match wanted {
                    Some(replicas) => cluster.applied.insert(id.clone(), replicas),
                    None => cluster.applied.remove(id),
                };
                let pods = cluster.pods.entry(id.clone()).or_default();
                let wanted = to_usize(wanted.unwrap_or(0));
                let broken = cluster.broken;
                let is_ready = |start: &MonoTime| !broken && now.saturating_since(*start) >= pod_start;
                while pods.len() > wanted {
                    // The youngest goes first, as Kubernetes has it.
                    let youngest = pods.pop().unwrap();
                    if is_ready(&youngest) {
                        let left = ready.get_mut(id).unwrap();
                        *left -= 1;
                        self.deleted_ready += 1;
                        let least = needed.get(id).copied().unwrap_or(0);
                        assert!(
                            *left >= least,
                            "{id}: a ready copy in {name} was deleted with {left} of {least} left\n{}",
                            self.story
                        );
                    }
                }
                pods.resize(wanted, now);
            }
            cluster.pods.retain(|_, pods| !pods.is_empty());
        }
    }

    fn ready_pods(&self, cluster: &Cluster, pods: &[MonoTime]) -> usize {
        let ready = pods
            .iter()
            .filter(|start| self.now.saturating_since(**start) >= self.pod_start)
            .count();
        if cluster.broken { 0 } else { ready }
    }

    /// Ready replicas that really run.
    pub(super) fn really_ready(&self, name: &str) -> usize {
        let id = &self.binding(name).id;
        let powered = self.clusters.values().filter(|cluster| cluster.powered);
        powered
            .filter_map(|cluster| Some(self.ready_pods(cluster, cluster.pods.get(id)?)))
            .sum()
    }

    fn report(&mut self) {
        let mut reports: Vec<(String, BindingId, i32)> = Vec::new();
        for (name, cluster) in self
            .clusters
            .iter()
            .filter(|(_, cluster)| cluster.powered && cluster.api)
        {
            for binding in &self.bindings {
                let there = cluster.applied.contains_key(&binding.id);
                let ready = match cluster.pods.get(&binding.id) {
                    Some(pods) if binding.workload => i32::try_from(self.ready_pods(cluster, pods)).unwrap(),
                    Some(_) | None => i32::from(!binding.workload && there),
                };
                reports.push((name.clone(), binding.id.clone(), ready));
            }
        }
        let mut by_id: BTreeMap<&BindingId, &mut BindingView> = BTreeMap::new();
        let ids: Vec<BindingId> = self.bindings.iter().map(|binding| binding.id.clone()).collect();
        for (id, binding) in ids.iter().zip(&mut self.bindings) {
            by_id.insert(id, binding);
        }
        for (cluster, id, ready) in reports {
            let binding = by_id.get_mut(&id).unwrap();
            if ready == 0 && !binding.clusters.iter().any(|target| target.name == cluster) {
                binding.ready.remove(&cluster);
            } else {
                binding.ready.insert(cluster, ready);
            }
        }
    }
}

impl Cluster {
    pub(super) fn verdict(&mut self, traffic: Verdict, control: Verdict) {
        self.health.traffic = traffic;
        self.health.control = control;
        self.up_at = None;
    }

    fn recover(&mut self, now: MonoTime) {
        self.verdict(Verdict::Recovering, Verdict::Recovering);
        self.up_at = Some(now + Duration::from_secs(10));
    }
}

fn to_usize(replicas: i32) -> usize {
    usize::try_from(replicas).unwrap()
}
