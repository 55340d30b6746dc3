//! Five `lifeboat observer` processes, two consumers, and what the observers look at.

use std::fmt::Write;
use std::io::{Read, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use lifeboat_health::{
    Check, Family, Identity, Listed, Path as Tested, Profile, StatusRange, Target, Verdict,
};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::heard::Heard;

const LIFEBOAT: &str = env!("CARGO_BIN_EXE_lifeboat");
pub(crate) const OBSERVERS: usize = 5;

/// Votes and quorum as by default. Timeouts and the loop's lag are forgiving, for machines that are busy, and recovery is
/// short.
pub(crate) fn profile() -> Profile {
    Profile {
        timeout_min_ms: 300,
        loop_lag_ms: 200,
        recover_hold_ms: 300,
        recover_good: 1,
        ..Profile::fast()
    }
}

/// Answers every request 200, until it falls silent: then it accepts, and says nothing.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    silent: Arc<AtomicBool>,
}

impl Server {
    pub(crate) fn start(listen: Ipv4Addr) -> Server {
        let listener = TcpListener::bind((listen, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let silent = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&silent);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let told = Arc::clone(&told);
                thread::spawn(move || answer(stream, &told));
            }
        });
        Server { address, silent }
    }

    pub(crate) fn falls_silent(&self) {
        self.silent.store(true, Ordering::SeqCst);
    }

    pub(crate) fn answers(&self) {
        self.silent.store(false, Ordering::SeqCst);
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

fn answer(mut stream: TcpStream, silent: &AtomicBool) {
    let mut asked = [0; 1_024];
    while let Ok(1..) = stream.read(&mut asked) {
        let said = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        if !silent.load(Ordering::SeqCst) && stream.write_all(said).is_err() {
            return;
        }
    }
}

/// The traffic path of a cluster.
pub(crate) fn target(cluster: &str, url: &str) -> Target {
    Target {
        cluster: cluster.to_owned(),
        path: Tested::Traffic,
        family: Family::V4,
        check: Check::Http {
            url: url.to_owned(),
            host: None,
            expect: StatusRange::default(),
        },
        detection: None,
    }
}

/// Where a fleet stands, and what it looks at.
pub(crate) struct Plan {
    /// Where consumers listen.
    pub(crate) listen: Ipv4Addr,
    pub(crate) targets: Vec<Target>,
    /// One for each observer: what it can reach whenever its own links are up.
    pub(crate) anchors: Vec<String>,
    /// What of an observer's profile is not as the others', as YAML after a comma; empty for nothing.
    pub(crate) differs: fn(usize) -> &'static str,
    /// The program and arguments that start an observer where it belongs; empty for here.
    pub(crate) inside: fn(usize) -> Vec<String>,
    /// The way of an observer to a consumer: the consumer's own address, or somebody between.
    pub(crate) way: Box<dyn FnMut(usize, SocketAddr) -> SocketAddr>,
    /// Where observers read their consumers instead.
    pub(crate) kubeconfig: Option<PathBuf>,
}

pub(crate) struct Fleet {
    folder: TempDir,
    plan: Plan,
    processes: Vec<Option<Child>>,
    pub(crate) consumers: [Heard; 2],
}

pub(crate) fn name(observer: usize) -> String {
    format!("observer-{observer}")
}

impl Fleet {
    /// Started, and all of its targets Up at both consumers by the word of all observers.
    pub(crate) fn start(plan: Plan) -> Fleet {
        let mut fleet = Fleet::prepare(plan);
        fleet.launch();
        fleet
    }

    /// With consumers that listen, and observers that do not run yet.
    pub(crate) fn prepare(plan: Plan) -> Fleet {
        let folder = tempfile::tempdir().unwrap();
        let issued = Command::new(LIFEBOAT)
            .args(["certificates", "--consumers", "dns-1", "dns-2", "--out"])
            .arg(folder.path())
            .arg("--observers")
            .args((1..=OBSERVERS).map(name))
            .output()
            .unwrap();
        assert!(issued.status.success(), "{issued:?}");
        let names: Listed = (1..=OBSERVERS)
            .map(|observer| (name(observer), String::new()))
            .collect();
        let consumers = ["dns-1", "dns-2"].map(|consumer| {
            let listen = SocketAddr::new(IpAddr::V4(plan.listen), 0);
            let tls = identity(folder.path(), consumer);
            Heard::start(
                consumer,
                listen,
                tls,
                plan.targets.clone(),
                &profile(),
                names.clone(),
            )
        });
        let mut fleet = Fleet {
            folder,
            plan,
            processes: (0..OBSERVERS).map(|_| None).collect(),
            consumers,
        };
        (1..=OBSERVERS).for_each(|observer| fleet.configure(observer));
        fleet
    }

    /// Starts the observers, and waits as [`Fleet::start`] does.
    pub(crate) fn launch(&mut self) {
        (1..=OBSERVERS).for_each(|observer| self.spawn(observer));
        let clusters: Vec<String> = self.plan.targets.iter().map(|t| t.cluster.clone()).collect();
        for consumer in &self.consumers {
            for cluster in &clusters {
                consumer.until(&format!("{cluster} Up"), |story| {
                    story.stands(cluster) == (Verdict::Up, false, OBSERVERS as u32)
                });
            }
        }
    }

    fn configure(&mut self, observer: usize) {
        let name = name(observer);
        let consumers = self.consumers.each_ref().map(Heard::address);
        let told = consumers.map(|consumer| (self.plan.way)(observer, consumer).to_string());
        let Profile {
            timeout_min_ms,
            loop_lag_ms,
            recover_hold_ms,
            recover_good,
            ..
        } = profile();
        let mut yaml = String::new();
        writeln!(yaml, "name: {name}\nregion: region-{observer}").unwrap();
        match &self.plan.kubeconfig {
            Some(file) => writeln!(yaml, "kubeconfig: {}", file.display()).unwrap(),
            None => writeln!(yaml, "consumers: {}", serde_json::to_string(&told).unwrap()).unwrap(),
        }
        writeln!(
            yaml,
            "tls: {{certificate: {name}.pem, key: {name}.key, roots: authority.pem}}"
        )
        .unwrap();
        writeln!(
            yaml,
            "anchors: [{{kind: http, url: '{}'}}]",
            self.plan.anchors[observer - 1]
        )
        .unwrap();
        writeln!(
            yaml,
            "targets: {}",
            serde_json::to_string(&self.plan.targets).unwrap()
        )
        .unwrap();
        writeln!(
            yaml,
            "profile: {{preset: fast, timeoutMinMs: {timeout_min_ms}, loopLagMs: {loop_lag_ms}, recoverHoldMs: {recover_hold_ms}, recoverGood: {recover_good}{}}}",
            (self.plan.differs)(observer)
        )
        .unwrap();
        std::fs::write(self.folder.path().join(format!("{name}.yaml")), yaml).unwrap();
    }

    /// Starts an observer that is not running.
    pub(crate) fn spawn(&mut self, observer: usize) {
        let mut words = (self.plan.inside)(observer);
        words.push(LIFEBOAT.to_owned());
        let process = Command::new(&words[0])
            .args(&words[1..])
            .args(["observer", "--config"])
            .arg(self.folder.path().join(format!("{}.yaml", name(observer))))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(self.log(observer)).unwrap())
            .spawn()
            .unwrap();
        self.processes[observer - 1] = Some(process);
    }

    /// What it says, a file.
    pub(crate) fn log(&self, observer: usize) -> PathBuf {
        self.folder.path().join(format!("{}.log", name(observer)))
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self, observer: usize) {
        let mut process = self.processes[observer - 1].take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// SIGSTOP: the process stands still, its sockets go on.
    pub(crate) fn pause(&self, observer: usize) {
        self.signal(observer, Signal::STOP);
    }

    /// SIGCONT.
    pub(crate) fn resume(&self, observer: usize) {
        self.signal(observer, Signal::CONT);
    }

    fn signal(&self, observer: usize, signal: Signal) {
        let process = self.processes[observer - 1].as_ref().unwrap();
        kill_process(Pid::from_child(process), signal).unwrap();
    }

    /// Until no consumer hears these observers any more, and each counts just the others.
    #[track_caller]
    pub(crate) fn until_gone(&self, gone: &[usize]) {
        let left = u32::try_from(OBSERVERS - gone.len()).unwrap();
        for consumer in &self.consumers {
            consumer.until(&format!("{gone:?} gone"), |story| {
                let fresh = |observer: &usize| story.observer(&name(*observer)).fresh;
                !gone.iter().any(fresh) && story.cell(&self.plan.targets[0].cluster).fresh == left
            });
        }
    }

    /// Until both consumers count these observers again.
    #[track_caller]
    pub(crate) fn until_back(&self, back: &[usize]) {
        for consumer in &self.consumers {
            consumer.until(&format!("{back:?} back"), |story| {
                back.iter().all(|observer| story.counts(&name(*observer)))
            });
        }
    }

    /// Until a cluster's verdict is so at both consumers, by the word of `fresh` observers.
    #[track_caller]
    pub(crate) fn until_both(&self, cluster: &str, verdict: Verdict, fresh: u32) {
        for consumer in &self.consumers {
            consumer.until(&format!("{cluster} {verdict}"), |story| {
                story.stands(cluster) == (verdict, false, fresh)
            });
        }
    }

    /// How many verdicts each consumer has told.
    pub(crate) fn told(&self) -> [usize; 2] {
        self.consumers
            .each_ref()
            .map(|consumer| consumer.now(|story| story.transitions.len()))
    }

    /// How often each consumer found a cluster Down.
    pub(crate) fn downs(&self, cluster: &str) -> [usize; 2] {
        self.consumers
            .each_ref()
            .map(|consumer| consumer.now(|story| story.downs(cluster).len()))
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for process in self.processes.iter_mut().flatten() {
            let _ended = process.kill();
            let _ended = process.wait();
        }
    }
}

fn identity(folder: &Path, name: &str) -> Identity {
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let (pem, key) = (read(&format!("{name}.pem")), read(&format!("{name}.key")));
    Identity::from_pem(&pem, &key, &read("authority.pem")).unwrap()
}
