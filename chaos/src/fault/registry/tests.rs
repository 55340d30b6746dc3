//! Injection, composition and expiry over recorded clusters and a paused clock.

use super::*;
use crate::fault::GateMode;

struct Recorder {
    name: &'static str,
    seen: Mutex<Vec<Effects>>,
}

impl FaultTarget for Recorder {
    fn name(&self) -> &str {
        self.name
    }

    fn apply(&self, effects: Effects) {
        self.seen.lock().push(effects);
    }
}

impl Recorder {
    fn last(&self) -> (bool, GateMode, GateMode) {
        let effects = self.seen.lock().last().copied().unwrap_or_default();
        (effects.powered, effects.api.mode, effects.vip.mode)
    }
}

#[derive(Default)]
struct Switch(Mutex<Vec<bool>>);

impl ControllerSwitch for Switch {
    fn set_running(&self, running: bool) {
        self.0.lock().push(running);
    }
}

fn fleet() -> (Faults, [Arc<Recorder>; 2], Arc<Switch>) {
    let clusters = ["a", "b"].map(|name| {
        Arc::new(Recorder {
            name,
            seen: Mutex::default(),
        })
    });
    let switch = Arc::new(Switch::default());
    let targets = clusters.clone().map(|cluster| cluster as Arc<dyn FaultTarget>);
    (Faults::new(targets, Some(switch.clone())), clusters, switch)
}

fn spec(text: &str) -> FaultSpec {
    text.parse().unwrap()
}

const WELL: (bool, GateMode, GateMode) = (true, GateMode::Open, GateMode::Open);
const OFF: (bool, GateMode, GateMode) = (false, GateMode::Silent, GateMode::Silent);

#[tokio::test(start_paused = true)]
async fn clearing_one_fault_leaves_the_other_in_force() {
    let (faults, [a, b], _) = fleet();
    let off = faults.inject(&spec("power-off:a,b")).unwrap();
    let vip = faults.inject(&spec("vip-down:a")).unwrap();
    assert_eq!((a.last(), b.last()), (OFF, OFF));
    faults.clear(off.id).unwrap();
    assert_eq!(
        (a.last(), b.last()),
        ((true, GateMode::Open, GateMode::Refusing), WELL)
    );
    faults.clear(vip.id).unwrap();
    assert_eq!(a.last(), WELL);
    assert_eq!(faults.clear(vip.id), Err(FaultError::UnknownFault { id: vip.id }));
}

#[tokio::test(start_paused = true)]
async fn faults_end_by_themselves() {
    let (faults, [a, b], _) = fleet();
    let mut events = faults.subscribe();
    let mut short = spec("power-off:a");
    short.ttl = Some(Duration::from_secs(5));
    faults.inject(&short).unwrap();
    faults.inject(&spec("black-hole:b")).unwrap();
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!((a.last(), b.last().2), (WELL, GateMode::Silent));
    tokio::time::sleep(TTL_DEFAULT).await;
    assert_eq!(b.last(), WELL);
    assert!(faults.active().is_empty());
    let mut seen = Vec::new();
    while let Ok(event) = events.try_recv() {
        seen.push((event.fault.id, event.what));
    }
    use FaultEventKind::{Expired, Injected};
    assert_eq!(seen, [(1, Injected), (2, Injected), (1, Expired), (2, Expired)]);
}

#[tokio::test(start_paused = true)]
async fn clear_all_tells_each_cluster_only_the_end() {
    let (faults, [a, _], switch) = fleet();
    faults.inject(&spec("power-off:a")).unwrap();
    faults.inject(&spec("vip-down:a")).unwrap();
    faults.inject(&spec("controller-down")).unwrap();
    assert_eq!(faults.clear_all().len(), 3);
    let seen = a.seen.lock();
    assert!(
        seen[2..].iter().all(|effects| *effects == Effects::default()),
        "{seen:?}"
    );
    assert_eq!(*switch.0.lock(), [false, true]);
}

#[tokio::test(start_paused = true)]
async fn refusals_name_what_is_wrong() {
    let (faults, [a, _], _) = fleet();
    let check = |text: &str, expected: &str| {
        assert_eq!(faults.inject(&spec(text)).unwrap_err().to_string(), expected);
    };
    check("power-off:a,mars", "unknown cluster `mars`; known: a, b");
    assert!(a.seen.lock().is_empty(), "a refused fault touched a cluster");
    for _ in 0..ACTIVE_MAX {
        faults.inject(&spec("slow:b")).unwrap();
    }
    check("slow:b", "64 faults are in force already; clear some first");
    let bare = Faults::new([], None);
    assert_eq!(
        bare.inject(&spec("controller-down")),
        Err(FaultError::NoController)
    );
}
