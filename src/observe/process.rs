//! One observer as a process of its own, as its configuration file says, for as long as it runs.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use axum::{Router, routing::get};
use lifeboat_health::metrics::register_own_certificates;
use lifeboat_health::{Observer, ObserverConfig, ObserverMetrics, Profile, Selection, Target};
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::targets::Targets as Found;
use super::{ObserverFile, Roster, anchors, files::Files, follow, follow_observers, names::Names, passive};
use crate::{
    serve::{Guard, Reached, open_metrics},
    store::access,
};

/// How often the configuration, the certificates and the consumers' addresses are looked at.
const LOOK: Duration = Duration::from_secs(2);
/// Wait before a kubeconfig that could not be used is read again.
const BEGIN_AGAIN: Duration = Duration::from_secs(5);

/// Runs until `stop`.
///
/// # Errors
/// What keeps it from starting. A change that cannot be used later is reported, and what was in force stays.
pub async fn run(path: &Path, stop: CancellationToken) -> anyhow::Result<()> {
    let file = ObserverFile::read(path)?;
    let mut registry = Registry::default();
    let metrics = ObserverMetrics::register(&mut registry);
    register_own_certificates(&mut registry, metrics.own_certificates.clone());
    let targets = Arc::new(Targets::default());
    let listed = targets.list(&file);
    let mut names = Names::of("consumers");
    let consumers = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        found = names.resolve(&file.consumers) => found,
    };
    let observer = Observer::spawn(ObserverConfig {
        name: file.name.clone(),
        region: file.region.clone(),
        targets: listed,
        anchors: anchors::in_force("anchors", &file.anchors)?,
        consumers: consumers.iter().copied().collect(),
        tls: file.tls.identity()?,
        profile: file.profile.clone(),
        seed: fastrand::u64(..),
        metrics,
    })?;
    if let Some(address) = file.heartbeats {
        let heard = observer.listen_for_heartbeats(address);
        heard.with_context(|| format!("heartbeats: listening on udp {address}"))?;
    }
    let observer = Arc::new(observer);
    let _admin = match file.admin {
        Some(address) => Some(admin(address, &file, registry, &observer).await?),
        None => None,
    };
    let named = Arc::new(Mutex::new(Vec::new()));
    let _following = file.kubeconfig.as_ref().map(|kubeconfig| {
        let (observer, targets) = (observer.clone(), targets.clone());
        let clusters = follow_clusters(kubeconfig.clone(), file.profile.clone(), observer, targets);
        let own = follow_own(kubeconfig.clone(), file.name.clone(), named.clone());
        [
            AbortOnDropHandle::new(tokio::spawn(clusters)),
            AbortOnDropHandle::new(tokio::spawn(own)),
        ]
    });
    tracing::info!(observer.name = %file.name, targets = targets.now().len(), "observes");
    let mut held = Held {
        path: path.to_owned(),
        files: Files::look(paths(path, &file)),
        file,
        named,
        names,
        consumers,
        refused: String::new(),
    };
    loop {
        let look = async {
            tokio::time::sleep(LOOK).await;
            held.look(&observer, &targets).await;
        };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = look => {}
        }
    }
}

/// What is in force.
struct Held {
    path: PathBuf,
    file: ObserverFile,
    files: Files,
    /// The consumers of its Observer object; where there are any, those of the file do not count.
    named: Arc<Mutex<Vec<String>>>,
    /// A name that does not resolve now keeps the addresses it had.
    names: Names,
    consumers: BTreeSet<SocketAddr>,
    /// Why the certificate that its file names is not in use; empty while it is.
    refused: String,
}

impl Held {
    async fn look(&mut self, observer: &Observer, targets: &Targets) {
        let named = self.named.lock().clone();
        let names = if named.is_empty() {
            &self.file.consumers
        } else {
            &named
        };
        let consumers = self.names.resolve(names).await;
        if !consumers.is_empty() && consumers != self.consumers {
            observer.set_consumers(consumers.iter().copied());
            self.consumers = consumers;
        }
        let changed = self.files.changed(paths(&self.path, &self.file));
        if changed && let Err(error) = self.reload(observer, targets) {
            tracing::error!(error = %format!("{error:#}"), "a change cannot be used; what was in force stays");
        }
        if changed || !self.refused.is_empty() {
            self.identify(observer);
        }
    }

    /// Takes targets and consumers, whether the certificate can be used or not.
    fn reload(&mut self, observer: &Observer, targets: &Targets) -> anyhow::Result<()> {
        let (file, kept) = changed(&self.file, ObserverFile::read(&self.path)?);
        if !kept.is_empty() {
            tracing::error!(
                fields = %kept.join(", "),
                "changed, which takes effect with a restart; what was in force stays, the rest of the file is taken"
            );
        }
        targets.list(&file);
        self.file = file;
        observer.set_targets(targets.now())?;
        tracing::info!(observer.name = %self.file.name, targets = targets.now().len(), "configuration read again");
        Ok(())
    }

    /// Asked again at each look while it fails: certificate and key may come after the configuration that names them, and one
    /// after the other.
    fn identify(&mut self, observer: &Observer) {
        let taken = self
            .file
            .tls
            .identity()
            .and_then(|own| Ok(observer.set_identity(own)?));
        let refused = taken.map_or_else(|error| format!("{error:#}"), |()| String::new());
        if !refused.is_empty() && refused != self.refused {
            tracing::error!(error = %refused, "the certificate is not taken; the one in force stays");
        }
        self.refused = refused;
    }
}

/// What is taken of a file that was read again, with the fields that keep their value until a restart.
fn changed(held: &ObserverFile, read: ObserverFile) -> (ObserverFile, Vec<&'static str>) {
    let ObserverFile {
        name,
        region,
        consumers,
        tls,
        anchors,
        targets,
        kubeconfig,
        profile,
        heartbeats,
        admin,
        admin_token_file,
        admin_hosts,
    } = read;
    let kept = [
        ("name", name != held.name),
        ("region", region != held.region),
        ("anchors", anchors != held.anchors),
        ("kubeconfig", kubeconfig != held.kubeconfig),
        ("profile", profile != held.profile),
        ("heartbeats", heartbeats != held.heartbeats),
        ("admin", admin != held.admin),
        ("adminTokenFile", admin_token_file != held.admin_token_file),
        ("adminHosts", admin_hosts != held.admin_hosts),
    ];
    let taken = ObserverFile {
        consumers,
        tls,
        targets,
        ..held.clone()
    };
    let kept = kept.into_iter().filter(|(_, differs)| *differs);
    (taken, kept.map(|(field, _)| field).collect())
}

/// Targets of the file and those of the Cluster objects; the file's count where both have one.
#[derive(Default)]
struct Targets {
    listed: Mutex<Vec<Target>>,
    followed: Mutex<Vec<Target>>,
}

impl Targets {
    fn list(&self, file: &ObserverFile) -> Vec<Target> {
        let Selection {
            targets,
            errors,
            overrides,
        } = file.targets(&self.listed.lock());
        for error in errors {
            tracing::error!(%error, "a target is not taken; what was probed before a mistake goes on");
        }
        for error in overrides {
            tracing::error!(%error, "an override of detection is not taken; what was in force stays, or else the fleet's profile");
        }
        self.listed.lock().clone_from(&targets);
        targets
    }

    fn now(&self) -> Vec<Target> {
        let listed = self.listed.lock().clone();
        let followed = self.followed.lock().clone();
        Selection::of(listed.into_iter().chain(followed)).targets
    }
}

async fn follow_clusters(
    kubeconfig: PathBuf,
    profile: Profile,
    observer: Arc<Observer>,
    targets: Arc<Targets>,
) {
    let mut said = String::new();
    let adopt = |found: &Found| {
        targets.followed.lock().clone_from(&found.targets);
        if let Err(error) = observer.set_targets(targets.now()) {
            tracing::error!(error = %error, "targets refused");
        }
    };
    while let Err(error) = async {
        anyhow::Ok(
            follow(
                access(Some(&kubeconfig), None).await?,
                &profile,
                Found::default(),
                adopt,
            )
            .await?,
        )
    }
    .await
    {
        not_followed("Cluster objects", &mut said, &error, &kubeconfig);
        tokio::time::sleep(BEGIN_AGAIN).await;
    }
}

/// Takes the consumers of the Observer object with its name.
async fn follow_own(kubeconfig: PathBuf, name: String, named: Arc<Mutex<Vec<String>>>) {
    let mut said = String::new();
    let adopt = |roster: &Roster| take_own(&name, roster, &named);
    while let Err(error) =
        async { anyhow::Ok(follow_observers(access(Some(&kubeconfig), None).await?, adopt).await?) }.await
    {
        not_followed("Observer objects", &mut said, &error, &kubeconfig);
        tokio::time::sleep(BEGIN_AGAIN).await;
    }
}

fn take_own(name: &str, roster: &Roster, named: &Mutex<Vec<String>>) {
    let own = roster.get(name);
    if own.is_none() {
        tracing::warn!(
            observer.name = %name,
            "there are Observer objects and none of this name: this observer's evidence does not count"
        );
    }
    *named.lock() = own.map(|own| own.consumers.clone()).unwrap_or_default();
}

/// Each reason is told once, while the kubeconfig is read again and again: it may be mounted late.
fn not_followed(what: &str, said: &mut String, error: &anyhow::Error, kubeconfig: &Path) {
    let error = format!("{error:#}");
    if *said != error {
        tracing::error!(error, kubeconfig = %kubeconfig.display(), "{what} are not followed, trying on");
        *said = error;
    }
}

/// Every file that may change.
fn paths<'a>(path: &'a Path, file: &'a ObserverFile) -> [&'a Path; 4] {
    let tls = &file.tls;
    [path, &tls.certificate, &tls.key, &tls.roots]
}

async fn admin(
    address: SocketAddr,
    file: &ObserverFile,
    registry: Registry,
    observer: &Arc<Observer>,
) -> anyhow::Result<AbortOnDropHandle<()>> {
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .with_context(|| format!("admin: listening on {address}"))?;
    let registry = Arc::new(registry);
    let metrics = move || async move { open_metrics(&registry) };
    let bound = listener.local_addr().context("admin: its address")?;
    let app = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(async || "ok"))
        .merge(reports(bound, file, observer)?)
        .into_make_service_with_connect_info::<Reached>();
    tracing::info!(admin.addr = %bound, "metrics, and reports of users' requests");
    Ok(AbortOnDropHandle::new(tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, app).await {
            tracing::error!(error = %error, "the admin listener stopped");
        }
    })))
}

/// The route for reports behind the guard that every request passes that changes something.
fn reports(address: SocketAddr, file: &ObserverFile, observer: &Arc<Observer>) -> anyhow::Result<Router> {
    let Some(guard) = guard(address, file)? else {
        return Ok(passive::closed());
    };
    let observer = Arc::downgrade(observer);
    let routes = passive::router(move |reports| match observer.upgrade() {
        Some(observer) => observer.report(reports),
        None => Ok(()),
    });
    Ok(guard.around(routes))
}

/// `None` where no reports are taken: beyond loopback without a token.
pub(super) fn guard(address: SocketAddr, file: &ObserverFile) -> anyhow::Result<Option<Guard>> {
    let token = match &file.admin_token_file {
        Some(path) => Some(token(path)?),
        None if !address.ip().is_loopback() => return Ok(None),
        None => None,
    };
    let guard = Guard::new(address, &file.admin_hosts, token).context("adminTokenFile")?;
    Ok(Some(guard.named_by("adminHosts")))
}

/// The token in the file that `adminTokenFile` names.
pub(crate) fn token(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("adminTokenFile: reading {}", path.display()))?;
    anyhow::ensure!(
        !text.trim().is_empty(),
        "adminTokenFile: {} holds no token",
        path.display()
    );
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_a_restart_keeps_nothing_else_from_being_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("observer.yaml");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            ObserverFile::read(&path).unwrap()
        };
        let before =
            "name: o\nconsumers: ['192.0.2.1:1']\ntls: {certificate: a.pem, key: a.key, roots: r.pem}\n";
        let held = read(before);
        let (taken, kept) = changed(&held, read(before));
        assert_eq!((taken.name, kept), ("o".to_owned(), Vec::new()));
        let after = "name: o\nregion: eu\nadmin: '127.0.0.1:1'\nprofile: {preset: wan}\nconsumers: ['192.0.2.2:1']\n\
                     tls: {certificate: b.pem, key: b.key, roots: r.pem}\ntargets: [{}]\n";
        let (taken, kept) = changed(&held, read(after));
        assert_eq!(kept, ["region", "profile", "admin"]);
        assert_eq!(
            (&taken.region, &taken.profile, taken.admin),
            (&held.region, &held.profile, held.admin)
        );
        assert_eq!(
            (taken.consumers.concat(), taken.targets.len()),
            ("192.0.2.2:1".to_owned(), 1)
        );
        assert!(taken.tls.certificate.ends_with("b.pem"), "{taken:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_kubeconfig_that_comes_late_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = follow_own(kubeconfig.clone(), "o".to_owned(), Arc::default());
        let _following = AbortOnDropHandle::new(tokio::spawn(own));
        // The file is read, and not found, without a pause before that.
        tokio::task::yield_now().await;
        let text = format!(
            "{{apiVersion: v1, kind: Config, current-context: c, contexts: [{{name: c, context: {{cluster: c, user: u}}}}], \
             clusters: [{{name: c, cluster: {{server: 'http://{}'}}}}], users: [{{name: u, user: {{}}}}]}}",
            server.local_addr().unwrap()
        );
        std::fs::write(&kubeconfig, text).unwrap();
        tokio::time::advance(BEGIN_AGAIN).await;
        tokio::time::resume();
        let asked = tokio::time::timeout(Duration::from_secs(30), server.accept()).await;
        assert!(asked.is_ok(), "the kubeconfig was not read again");
    }

    #[test]
    fn consumers_of_an_object_that_is_gone_are_no_consumers() {
        let named = Mutex::new(Vec::new());
        let spec = |consumers: &[&str]| crate::api::ObserverSpec {
            consumers: consumers.iter().map(|&name| name.to_owned()).collect(),
            ..Default::default()
        };
        let mut roster = Roster::from([("o".to_owned(), spec(&["a:1"])), ("p".to_owned(), spec(&["b:1"]))]);
        take_own("o", &roster, &named);
        assert_eq!(*named.lock(), ["a:1"]);
        roster.remove("o");
        take_own("o", &roster, &named);
        assert!(named.lock().is_empty(), "the consumers of its file count");
    }

    #[test]
    fn each_reason_is_told_once() {
        let mut said = String::new();
        let mut told = |error: &'static str| {
            let before = said.clone();
            not_followed("objects", &mut said, &anyhow::anyhow!(error), Path::new("k"));
            before != said
        };
        assert_eq!(
            ["a", "a", "b", "b", "a"].map(&mut told),
            [true, false, true, false, true]
        );
    }
}
